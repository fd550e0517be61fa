import pytest

from momentarium_cli.backend.signing import Signer
from momentarium_cli.errors import BadRequest


def test_a_signature_is_good_for_its_purpose_and_values_alone() -> None:
    signer = Signer("a secret")
    signature = signer.sign("PUT", "key", 5, None)
    assert signer.good(signature, "PUT", "key", 5, None)
    for other in (("GET", "key", 5, None), ("PUT", "key", 6, None), ("PUT", "key", "5", None), ("PUT", "key", 5, ""),
                  ("PUT", "key", 5), ("PUT", 'key",5,null', None)):  # fmt: skip
        assert not signer.good(signature, *other)
    assert not Signer("another secret").good(signature, "PUT", "key", 5, None)
    assert not signer.good("", "PUT", "key", 5, None)
    assert not signer.good("é", "PUT", "key", 5, None)


@pytest.mark.parametrize("value", [["2024-05-12T10:00:00", 7], [0, 0], "text", None, {"a": [1]}])
def test_what_was_sealed_can_be_opened(value: object) -> None:
    signer = Signer("a secret")
    assert signer.open("cursor", signer.seal("cursor", value)) == value
    with pytest.raises(BadRequest):
        signer.open("another", signer.seal("cursor", value))
