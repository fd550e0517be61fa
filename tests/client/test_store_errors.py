"""What an S3 store answers to an upload, as the client's errors."""

from collections.abc import Iterator

import pytest

from momentarium_cli import errors
from momentarium_cli.client.store_errors import MAX_BYTES
from momentarium_cli.client.transport import FixedServer, Transport
from momentarium_cli.errors import (
    AlreadyStored,
    BadRequest,
    Forbidden,
    InsufficientStorage,
    MomentariumError,
    NotFound,
    NotMomentarium,
    StorageUnavailable,
    Temporary,
    Throttled,
)
from tests.client.loopback import Loopback, Reply, in_turn, loopback, problem, s3_error

SKEWED = "The difference between the request time and the current time is too large."
REGION = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"
SAID = [
    (403, "AccessDenied", "Request has expired", Forbidden, "expired"),
    (400, "ExpiredToken", "The provided token has expired.", Forbidden, "expired"),
    (403, "ExpiredToken", "The provided token has expired.", Forbidden, "expired"),
    (403, "RequestTimeTooSkewed", SKEWED, Forbidden, "clock_skew"),
    (403, "AccessDenied", "Request is not yet valid", Forbidden, "clock_skew"),
    (403, "AccessDenied", "Request is not valid yet", Forbidden, "clock_skew"),
    (403, "AccessDenied", "Access Denied", Forbidden, "forbidden"),
    (403, "SignatureDoesNotMatch", "The signatures differ.", Forbidden, "forbidden"),
    (403, "InvalidAccessKeyId", "There is no such key.", Forbidden, "forbidden"),
    (412, "PreconditionFailed", "A precondition did not hold.", AlreadyStored, "already_stored"),
    (409, "ConditionalRequestConflict", "Try again.", Temporary, "unavailable"),
    (409, "OperationAborted", "Try again.", Temporary, "unavailable"),
    (400, "RequestTimeout", "The socket was idle.", Temporary, "unavailable"),
    (400, "BadDigest", "It did not match.", BadRequest, "bad_digest"),
    (400, "XAmzContentSHA256Mismatch", "It did not match.", BadRequest, "bad_digest"),
    (400, "InvalidDigest", "It is no digest.", BadRequest, "bad_digest"),
    (400, "IncompleteBody", "Bytes are missing.", BadRequest, "bad_digest"),
    (503, "SlowDown", "Please reduce your request rate.", Throttled, "throttled"),
    (429, "TooManyRequests", "Please reduce your request rate.", Throttled, "throttled"),
    (503, "ServiceUnavailable", "Later.", StorageUnavailable, "storage_unavailable"),
    (500, "InternalError", "Oops.", StorageUnavailable, "storage_unavailable"),
    (502, "BadGateway", "Oops.", StorageUnavailable, "storage_unavailable"),
    (504, "GatewayTimeout", "Oops.", StorageUnavailable, "storage_unavailable"),
    (404, "NoSuchBucket", "The bucket is not there.", StorageUnavailable, "no_bucket"),
    (404, "NoSuchUpload", "The upload is not there.", NotFound, "not_found"),
    (507, "XMinioStorageFull", "Free some space.", InsufficientStorage, "insufficient_storage"),
    (500, "InternalError", "write: no space left on device", InsufficientStorage, "insufficient_storage"),
    (403, "QuotaExceeded", "The quota is used up.", InsufficientStorage, "insufficient_storage"),
    (301, "PermanentRedirect", "Use the other endpoint.", BadRequest, "wrong_region"),
    (307, "TemporaryRedirect", "Use the other endpoint.", BadRequest, "wrong_region"),
    (400, "AuthorizationHeaderMalformed", REGION, BadRequest, "wrong_region"),
    (400, "AuthorizationQueryParametersError", REGION, BadRequest, "wrong_region"),
    (400, "EntityTooSmall", "It is too small.", BadRequest, "bad_request"),
]


class Store:
    def __init__(self, server: Loopback) -> None:
        self.server = server
        self.transport = Transport(FixedServer("http://127.0.0.1:1", "mom_x"))

    def put(self, reply: Reply) -> int:
        self.server.answer = in_turn(reply)
        return self.transport.send("PUT", f"{self.server.url}/bucket/key?X-Amz-Signature=hush", {}, b"photo")

    def refusal(self, reply: Reply) -> MomentariumError:
        with pytest.raises(MomentariumError) as caught:
            self.put(reply)
        return caught.value


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with loopback(in_turn(Reply())) as server:
        made = Store(server)
        yield made
        made.transport.close()


@pytest.mark.parametrize(("status", "code", "message", "cls", "ours"), SAID)
def test_each_refusal_is_an_error_of_ours(
    store: Store, status: int, code: str, message: str, cls: type[MomentariumError], ours: str
) -> None:
    error = store.refusal(s3_error(status, code, message, Location="http://127.0.0.1:1/elsewhere"))
    assert (type(error), error.error_code) == (cls, ours)
    assert store.server.url in error.message and code in error.message and message.rstrip(".") in error.message
    assert "hush" not in str(error), "a signature is nobody's to read"


@pytest.mark.parametrize("code", ["clock_skew", "no_bucket", "wrong_region", "insufficient_storage"])
def test_what_a_person_has_to_mend_is_told_with_the_remedy(store: Store, code: str) -> None:
    refusals = [store.refusal(s3_error(said[0], said[1], said[2])) for said in SAID if said[4] == code]
    assert refusals and all(error.hint for error in refusals)


def test_how_long_to_wait_is_passed_on(store: Store) -> None:
    assert store.refusal(s3_error(503, "SlowDown", **{"Retry-After": "7"})).retry_after == 7


def test_a_redirect_is_not_followed(store: Store) -> None:
    before = len(store.server.requests)
    store.refusal(s3_error(307, "TemporaryRedirect", Location=f"{store.server.url}/other"))
    assert len(store.server.requests) == before + 1


@pytest.mark.parametrize(
    ("reply", "cls"),
    [
        (Reply(403, b"<html>Forbidden</html>"), NotMomentarium),
        (Reply(503, b"<html>Error</html>"), Temporary),
        (Reply(403, b"<Error><Message>expired</Message></Error>"), NotMomentarium),
        (Reply(403, b"<Code>AccessDenied</Code>"), NotMomentarium),
        (Reply(403, b" " * MAX_BYTES + b"<Error><Code>AccessDenied</Code></Error>"), NotMomentarium),
        (Reply(500, b"\xff\x00<Error><Code"), Temporary),
        (Reply(429, b""), Throttled),
    ],
    ids=["page", "page 503", "no code", "no error", "beyond 8 KB", "rubbish", "empty"],
)
def test_what_is_not_the_xml_of_s3_stays_what_it_is(store: Store, reply: Reply, cls: type[MomentariumError]) -> None:
    assert type(store.refusal(reply)) is cls


def test_an_endless_answer_is_not_read_to_its_end(store: Store) -> None:
    reply = s3_error(403, "AccessDenied", "Access Denied")
    error = store.refusal(Reply(403, reply.body + b" " * (16 << 20)))
    assert type(error) is Forbidden


def test_a_problem_of_our_own_server_is_told_as_before(store: Store) -> None:
    assert str(store.refusal(problem(Forbidden("What happened.", hint="What to do.")))) == "What happened. What to do."


def test_what_is_told_is_one_line_that_is_safe_to_show(store: Store) -> None:
    error = store.refusal(s3_error(403, "AccessDenied", "a\n  b &amp; c\x1b[31m" + "x" * 5000))
    assert "a b & c[31mx" in error.message
    assert error.message.isprintable() and len(error.message) < 500


def test_a_store_that_is_not_there_is_told_to_be_the_store(unused_url: str) -> None:
    transport = Transport(FixedServer("http://127.0.0.1:1", "mom_x"))
    with pytest.raises(errors.ServerUnreachable, match="It is the store") as caught:
        transport.send("PUT", f"{unused_url}/bucket/key?X-Amz-Signature=hush", {}, b"")
    assert unused_url in str(caught.value) and "hush" not in str(caught.value)
    transport.close()


def test_a_download_is_refused_in_the_same_words(store: Store) -> None:
    store.server.answer = in_turn(s3_error(403, "AccessDenied", "Request has expired"))
    with pytest.raises(Forbidden) as caught:
        list(store.transport.stream(f"{store.server.url}/bucket/key"))
    assert caught.value.error_code == "expired"
