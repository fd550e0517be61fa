import random
import time
from collections.abc import Sequence

import jwt
import pytest
from qstash import Receiver

from momentarium_cli.backend.webhook import DEVELOPMENT_KEYS, MAX_BODY_BYTES, NotProven, Proofs
from momentarium_cli.errors import SettingsError
from tests.backend.forgeries import (
    BODY,
    CURRENT_KEY,
    HEADER,
    NEXT_KEY,
    NOW,
    OLD_KEY,
    OTHER_SECRET,
    PATH,
    PUBLIC_URL,
    SECRET,
    Sent,
    Signer,
    encoded,
    forgeries,
    of,
)

SIGNER = Signer()
FORGERIES = forgeries(SIGNER)
PROOFS = Proofs(PUBLIC_URL, [SECRET, OTHER_SECRET], [CURRENT_KEY, NEXT_KEY])


def check(sent: Sent, now: float = NOW, proofs: Proofs = PROOFS) -> None:
    proofs.check(sent.path, sent.raw_headers, sent.body, now)


def refused(sent: Sent, now: float = NOW, proofs: Proofs = PROOFS) -> str:
    """Why it was refused, for the log."""
    with pytest.raises(NotProven) as caught:
        check(sent, now, proofs)
    return caught.value.reason


class TestWhatTheQueueSends:
    def test_both_proofs_together_pass(self) -> None:
        check(SIGNER.sent())

    def test_what_we_sign_ourselves_to_try_a_server_passes_as_if_the_queue_had(self) -> None:
        given = PROOFS.given(PATH, BODY, NOW)
        raw = [(name.lower().encode(), value.encode()) for name, value in given.items()]
        PROOFS.check(PATH, raw, BODY, NOW)
        now = PROOFS.given(PATH, BODY, time.time())["Upstash-Signature"]
        Receiver(CURRENT_KEY, NEXT_KEY).verify(signature=now, body=BODY.decode(), url=PUBLIC_URL + PATH)

    @pytest.mark.parametrize("padding", ["", "="])
    def test_the_hash_of_the_body_may_be_padded(self, padding: str) -> None:
        hashed = SIGNER.claims()["body"].rstrip("=") + padding
        check(SIGNER.signed(body=hashed))

    @pytest.mark.parametrize("key", [CURRENT_KEY, NEXT_KEY])
    def test_current_and_next_key_are_good(self, key: str) -> None:
        check(SIGNER.sent(SIGNER.token(key=key)))

    @pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
    def test_both_secrets_of_a_rotation_are_good(self, secret: str) -> None:
        check(SIGNER.sent(X_API_Secret=secret))

    @pytest.mark.parametrize("late", [0, 150, 300, 309])
    def test_five_minutes_and_the_tolerance_long(self, late: int) -> None:
        check(SIGNER.sent(), NOW + late)

    @pytest.mark.parametrize("early", [0.5, 9, 10])
    def test_a_clock_of_ours_may_be_slow_by_the_tolerance(self, early: float) -> None:
        check(SIGNER.sent(), NOW - early)

    @pytest.mark.parametrize("elsewhen", [-3600, -10.1, 310, 311, 3600])
    def test_and_no_longer(self, elsewhen: float) -> None:
        refused(SIGNER.sent(), NOW + elsewhen)

    @pytest.mark.parametrize("body", [b"", b"\xff\x00", b" " * MAX_BODY_BYTES], ids=["empty", "binary", "1 MB"])
    def test_whatever_the_body_is(self, body: bytes) -> None:
        check(SIGNER.sent(body=body))

    def test_twice_is_no_forgery(self) -> None:
        for _ in range(2):
            check(SIGNER.sent())

    def test_header_names_are_of_any_case_and_other_headers_do_not_matter(self) -> None:
        sent = SIGNER.sent(Host="evil.example", X_Forwarded_Host="evil.example", Upstash_Message_Id="msg_1")
        PROOFS.check(PATH, [(name.title().encode(), value.encode()) for name, value in sent.headers], BODY, NOW)

    @pytest.mark.parametrize("header", [HEADER, {"typ": "JWT", "alg": "HS256"}, {"alg": "HS256"}])
    def test_the_header_of_the_token_has_no_order_and_need_not_name_its_type(self, header: dict[str, str]) -> None:
        check(SIGNER.sent(SIGNER.token(header)))

    def test_more_claims_and_an_empty_audience_do_not_matter(self) -> None:
        check(SIGNER.signed(aud="", region="eu"))

    def test_a_slash_after_the_public_url_is_the_same_deployment(self) -> None:
        check(SIGNER.sent(), proofs=Proofs(PUBLIC_URL + "/", [SECRET], [CURRENT_KEY]))


class TestForgeries:
    def test_there_are_enough(self) -> None:
        assert len(FORGERIES) >= 60

    @pytest.mark.parametrize("name", FORGERIES)
    def test_is_refused(self, name: str) -> None:
        refused(FORGERIES[name])

    def test_the_log_is_told_why_and_no_secret(self) -> None:
        reasons = {refused(sent) for sent in FORGERIES.values()}
        assert len(reasons) > 20
        assert not any(secret in reason for reason in reasons for secret in (SECRET, CURRENT_KEY, NEXT_KEY))

    def test_every_byte_of_a_token_counts(self) -> None:
        token, random_byte = of(SIGNER.sent(), "Upstash-Signature").encode(), random.Random(20261123)
        for position in range(len(token)):
            for mask in {1, random_byte.randrange(1, 256), random_byte.randrange(1, 256)}:
                spoilt = bytearray(token)
                spoilt[position] ^= mask
                refused(SIGNER.sent(spoilt.decode("latin-1")))

    def test_every_byte_of_the_body_counts(self) -> None:
        sent, random_byte = SIGNER.sent(), random.Random(20261123)
        for position in range(len(BODY)):
            spoilt = bytearray(BODY)
            spoilt[position] ^= random_byte.randrange(1, 256)
            refused(Sent(sent.headers, bytes(spoilt)))

    def test_no_part_of_a_token_stands_for_all_of_it(self) -> None:
        token = of(SIGNER.sent(), "Upstash-Signature")
        for length in range(len(token)):
            refused(SIGNER.sent(token[:length]))
            refused(SIGNER.sent(token[length + 1 :]))
            refused(SIGNER.sent(token[:length] + token[length + 1 :]))

    def test_nothing_of_a_token_is_read_before_its_signature_is_good(self) -> None:
        assert refused(SIGNER.sent(SIGNER.token(b"\xff", b"\xff", key="another"))) == "signature"


class TestRotation:
    """The queue makes `next` current and a new key next; we are told of it later."""

    def accepts(self, keys: Sequence[str], key: str) -> bool:
        try:
            check(SIGNER.sent(SIGNER.token(key=key)), proofs=Proofs(PUBLIC_URL, [SECRET], keys))
        except NotProven:
            return False
        return True

    def test_after_one_rotation_we_need_not_know_of_it(self) -> None:
        assert self.accepts([OLD_KEY, CURRENT_KEY], CURRENT_KEY)

    def test_after_two_rotations_the_old_key_is_refused(self) -> None:
        assert not self.accepts([CURRENT_KEY, NEXT_KEY], OLD_KEY)

    def test_after_two_rotations_without_us_everything_is_refused(self) -> None:
        assert not self.accepts([OLD_KEY, CURRENT_KEY], NEXT_KEY)


class TestSettings:
    @pytest.mark.parametrize("key", sorted(DEVELOPMENT_KEYS))
    @pytest.mark.parametrize(
        "url", ["https://photos.example.com", "http://10.0.0.1:8787", "http://localhost.evil.example"]
    )
    def test_keys_that_everybody_knows_are_refused(self, key: str, url: str) -> None:
        for keys in ([key, None], ["sig_of_tests_current", key]):
            with pytest.raises(SettingsError, match="development server"):
                Proofs(url, [SECRET], keys)

    @pytest.mark.parametrize("host", ["127.0.0.1:8787", "localhost", "[::1]:8787"])
    def test_but_on_loopback(self, host: str) -> None:
        assert Proofs(f"http://{host}", [SECRET], sorted(DEVELOPMENT_KEYS)[:2])

    @pytest.mark.parametrize(
        "secrets", [[], [None], [""], ["short"], [SECRET, "short"], ["a secret with spaces"], ["é" * 20]]
    )
    def test_a_secret_that_can_be_guessed_is_refused(self, secrets: list[str]) -> None:
        with pytest.raises(SettingsError, match=r"queue\.api_secret"):
            Proofs(PUBLIC_URL, secrets, [CURRENT_KEY])

    @pytest.mark.parametrize("keys", [[], [None, None], ["", ""]])
    def test_without_a_signing_key_nothing_can_be_proven(self, keys: list[str]) -> None:
        with pytest.raises(SettingsError, match="signing_key"):
            Proofs(PUBLIC_URL, [SECRET], keys)

    @pytest.mark.parametrize(
        "url", ["", "photos.example.com", "ftp://photos.example.com", "https://", "https://a/?b=c"]
    )
    def test_a_public_url_that_is_none_is_refused(self, url: str) -> None:
        with pytest.raises(SettingsError, match=r"server\.public_url"):
            Proofs(url, [SECRET], [CURRENT_KEY])

    def test_all_that_is_wrong_is_told_at_once(self) -> None:
        with pytest.raises(SettingsError, match=r"public_url.*api_secret.*signing_key"):
            Proofs("", [], [])


class TestBesideTheVendorsReceiver:
    """What it accepts of our signer is what the queue sends; what it accepts beyond that is why we do not use it."""

    receiver = Receiver(CURRENT_KEY, NEXT_KEY)

    def accepts(self, sent: Sent) -> bool:
        try:
            self.receiver.verify(
                signature=of(sent, "Upstash-Signature"), body=sent.body.decode(), url=PUBLIC_URL + sent.path
            )
        except Exception:
            return False
        return True

    @pytest.mark.parametrize("key", [CURRENT_KEY, NEXT_KEY])
    def test_it_accepts_what_we_accept(self, key: str) -> None:
        signer = Signer(now=int(time.time()), key=key)
        check(signer.sent(), time.time())
        assert self.accepts(signer.sent())

    def test_we_refuse_more_than_it_does(self) -> None:
        signer = Signer(now=int(time.time()))
        lenient = [
            name for name, sent in forgeries(signer).items() if name.startswith("valid for") and self.accepts(sent)
        ]
        assert lenient == ["valid for 301 s", "valid for 30 years"]

    def test_a_token_of_another_library_passes(self) -> None:
        signer = Signer(now=int(time.time()))
        check(signer.sent(jwt.encode(signer.claims(), CURRENT_KEY, "HS256")), time.time())


def test_it_is_fast_enough_for_any_flood() -> None:
    sent = SIGNER.sent()
    headers = sent.raw_headers
    started = time.process_time()
    for _ in range(2000):
        PROOFS.check(PATH, headers, BODY, NOW)
    assert 2000 / (time.process_time() - started) > 10_000


def test_the_encoding_is_that_of_the_tokens() -> None:
    assert encoded(b"\xfb\xff") == "-_8"
