"""What titles and descriptions say in each language; dates come from `dates`, names of countries from CLDR.

A phrase takes a place as it is: where a language would have to inflect it or to choose a preposition, the phrase
goes round that ("Week-end : Porto").
"""

from dataclasses import dataclass
from functools import cache

ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Words:
    """`day` and `photo`: one and many of them, `{}` is the number."""

    code: str
    weekend_in: str
    weekend: str
    everyday: str
    undated: str
    screenshots: str
    documents: str
    downloads: str
    time_lapse: str
    more_countries: str
    photo: tuple[str, str]
    day: tuple[str, str]
    comma: str = ", "
    named_in: str = "{}: {}"  # a holiday and a place

    def photos(self, count: int) -> str:
        return self.photo[count != 1].format(f"{count:,}" if self.code == ENGLISH else count)

    def days(self, count: int) -> str:
        return self.day[count != 1].format(count)


WORDS = {
    words.code: words
    for words in (
        Words(
            *(ENGLISH, "Weekend in {}", "Weekend of {}", "Everyday", "Undated", "Screenshots"),
            *("Documents", "Downloads", "Time-lapse", "{} more countries"),
            *(("{} photo", "{} photos"), ("{} day", "{} days")),
            named_in="{} in {}",
        ),
        Words(
            *("de", "Wochenende in {}", "Wochenende, {}", "Alltag", "Ohne Datum", "Bildschirmfotos"),
            *(
                "Dokumente",
                "Downloads",
                "Zeitraffer",
                "{} weitere Länder",
                ("{} Foto", "{} Fotos"),
                ("{} Tag", "{} Tage"),
            ),
            named_in="{} in {}",
        ),
        Words(
            *("fr", "Week-end : {}", "Week-end, {}", "Au quotidien", "Sans date", "Captures d’écran"),
            *(
                "Documents",
                "Téléchargements",
                "Time-lapse",
                "{} autres pays",
                ("{} photo", "{} photos"),
                ("{} jour", "{} jours"),
            ),
            named_in="{} : {}",
        ),
        Words(
            *("es", "Fin de semana en {}", "Fin de semana, {}", "Día a día", "Sin fecha", "Capturas de pantalla"),
            *("Documentos", "Descargas", "Time-lapse", "{} países más", ("{} foto", "{} fotos"), ("{} día", "{} días")),
            named_in="{} en {}",
        ),
        Words(
            *("pt", "Fim de semana: {}", "Fim de semana, {}", "Dia a dia", "Sem data", "Capturas de tela"),
            *(
                "Documentos",
                "Downloads",
                "Time-lapse",
                "mais {} países",
                ("{} foto", "{} fotos"),
                ("{} dia", "{} dias"),
            ),
        ),
        Words(
            *("it", "Fine settimana: {}", "Fine settimana, {}", "Vita quotidiana", "Senza data", "Schermate"),
            *(
                "Documenti",
                "Download",
                "Time-lapse",
                "altri {} paesi",
                ("{} foto", "{} foto"),
                ("{} giorno", "{} giorni"),
            ),
        ),
        Words(
            *("ja", "{}の週末", "週末、{}", "日常", "日付なし", "スクリーンショット"),
            *("書類", "ダウンロード", "タイムラプス", "ほか{}か国"),
            *(("{}枚の写真", "{}枚の写真"), ("{}日間", "{}日間"), "、", "{}、{}"),
        ),
        Words(
            *("zh", "{}周末", "周末，{}", "日常", "无日期", "屏幕截图", "文档", "下载", "延时摄影", "另外{}个国家"),
            *(("{}张照片", "{}张照片"), ("{}天", "{}天"), "，", "{}，{}"),
        ),
    )
}


@cache
def country_name(code: str, name: str, language: str) -> str:
    """What a country is called in a language; `name` where that is not known, and in English."""
    if language == ENGLISH:
        return name
    from babel import Locale

    return str(Locale(language).territories.get(code, name))
