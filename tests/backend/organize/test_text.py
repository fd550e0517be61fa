from momentarium_cli.backend.organize.text import clean, listed, shorten


def test_cleaned_text_is_one_line_without_what_a_terminal_would_obey() -> None:
    assert clean(" a\nb\t\tc\u2028d ") == "a b c d"
    assert clean("\x1b[31mred\x07") == "[31mred"
    assert clean("caf\udce9 \u202egnp.exe") == "caf gnp.exe"


def test_cleaned_text_is_composed_and_keeps_joined_emoji() -> None:
    assert clean("Cafe\u0301") == "Café"
    assert clean("👨‍👩‍👧 trip") == "👨‍👩‍👧 trip"


def test_shortened_text_ends_between_words_where_it_can() -> None:
    assert shorten("one two three", 20) == "one two three"
    assert shorten("one two three", 11) == "one two…"
    assert shorten("a " + "x" * 30, 10) == "a xxxxxxx…"


def test_lists_read_as_sentences() -> None:
    assert listed(["A"]) == "A"
    assert listed(["A", "B", "C"]) == "A, B and C"
    assert listed(["A", "B"], " & ") == "A & B"
