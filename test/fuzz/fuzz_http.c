/*
 * Request heads and all that reads them. Beside crashes, what must hold for any bytes: the
 * verdict of a prefix is PARTIAL or the verdict of the whole, however the bytes trickle in; what
 * was accepted lies inside the bytes; the handshake, the Origin rule and the parts of a URI take
 * anything, and what they accept has the form that they promise.
 *
 * The first byte says where the head is cut in two, in 256ths.
 */
#include <errno.h>
#include <unistd.h>

#include "base/buf.h"
#include "fuzz.h"
#include "proto/handshake.h"
#include "proto/http.h"
#include "proto/origin.h"
#include "proto/uri.h"

static const char *const allowed[] = { "https://app.example.org", "tauri://localhost" };

/* Whether the part lies within the whole. */
static void
check_inside(struct span whole, struct span part)
{
	must(part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n));
}

/* --- URI ---------------------------------------------------------------------------------- */

static void
check_authority(struct span text)
{
	struct uri_authority authority;
	int r = uri_authority_parse(text, &authority);

	must(r == 0 || r == -EINVAL);
	if (r < 0)
		return;
	check_inside(text, authority.host);
	must(authority.host.n > 0 && authority.port >= URI_PORT_NONE && authority.port <= 65535);
}

static void
check_target(struct span text)
{
	struct uri_target target;
	int r = uri_target_parse(text, &target);

	must(r == 0 || r == -EINVAL);
	if (r < 0)
		return;
	check_inside(text, target.authority);
	check_inside(text, target.query);
	must(target.path.n > 0 && target.path.p[0] == '/');
	must(target.authority.n == 0 || target.path.n <= text.n);
}

static void
check_origin(struct span text, struct span host)
{
	struct uri_origin origin;
	enum origin_verdict verdict = origin_check(text, host, allowed, 2, false);

	if (uri_origin_parse(text, &origin) == 0)
		check_inside(text, origin.scheme);
	else
		must(verdict == ORIGIN_REFUSED);
}

static void
check_decode(struct span text)
{
	char *path = block_new(text.n);
	size_t len = 0, again;
	int r = uri_decode(text, path, text.n, &len);

	must(r == 0 || r == -EINVAL);
	must(len <= text.n);
	if (r == 0 && len > 0)
		must(uri_decode(text, path, len - 1, &again) == -ENOSPC);
	free(path);
}

static void
check_uri(struct span text)
{
	check_authority(text);
	check_target(text);
	check_origin(text, SPAN("localhost:18789"));
	check_decode(text);
}

/* --- head --------------------------------------------------------------------------------- */

static void
check_handshake(const struct http_head *head)
{
	struct handshake handshake;
	struct http_fault fault;
	struct buf out = { 0 };

	switch (handshake_check(head, &handshake, &fault)) {
	case HANDSHAKE_UPGRADE:
		must(handshake.key.n == 24);
		must(span_is(head->method, "GET") && head->minor == 1);
		handshake_accept_write(&out, &handshake, "lurkbot.v1");
		must(buf_status(&out) == 0 && out.len > HANDSHAKE_ACCEPT_LEN);
		must(memcmp(out.data + out.len - 4, "\r\n\r\n", 4) == 0);
		buf_fini(&out);
		break;
	case HANDSHAKE_BAD:
		must(fault.status >= 400 && fault.text != NULL && fault.header_lines != NULL);
		break;
	case HANDSHAKE_PLAIN:
		break;
	}
}

static void
check_headers(const struct http_head *head, struct span whole)
{
	struct span list, element;

	for (unsigned i = 0; i < head->header_count; i++) {
		must(http_is_token(head->headers[i].name));
		check_inside(whole, head->headers[i].value);
		list = head->headers[i].value;
		while (http_list_next(&list, &element))
			must(element.n > 0);
	}
}

static void
check_head(const struct http_head *head, size_t used, struct span whole)
{
	const struct http_header *origin = http_head_find(head, "Origin");

	must(used <= whole.n && used <= HTTP_HEAD_MAX);
	must(head->header_count <= HTTP_HEADERS_MAX);
	must(head->path.n > 0 && (head->minor == 0 || head->host.n > 0));
	must(!head->chunked || head->content_length == 0);
	must(!head->has_body || head->chunked || head->content_length > 0);
	must(!head->keep_alive || head->minor == 1);
	check_inside(whole, head->target);
	/* That of an absolute target without a path is a constant. */
	if (!span_is(head->path, "/"))
		check_inside(whole, head->path);
	check_decode(head->path);
	check_headers(head, whole);
	if (origin != NULL)
		check_origin(origin->value, head->host);
	check_handshake(head);
}

/* --- pieces ------------------------------------------------------------------------------- */

/* What a verdict says, and how. */
struct answer {
	enum http_verdict verdict;
	size_t used;
	struct http_fault fault;
};

static struct answer
parse(const char *data, size_t len, struct http_head *head)
{
	struct answer answer = { 0 };

	answer.verdict = http_head_parse(data, len, head, &answer.used, &answer.fault);
	if (answer.verdict == HTTP_BAD)
		must(answer.fault.status >= 400 && answer.fault.text != NULL);
	return answer;
}

static void
check_same(const struct answer *part, const struct answer *whole)
{
	must(part->verdict == whole->verdict && part->used == whole->used);
	must(part->fault.status == whole->fault.status && part->fault.text == whole->fault.text);
}

/* A head that trickles in, looked at whenever that is worth it. */
static void
check_trickle(struct span input, const struct answer *whole)
{
	struct http_head head;
	struct answer answer;
	size_t scanned = 0;

	for (size_t len = 1; len <= input.n; len++) {
		if (!http_head_is_due(input.p, len, &scanned))
			continue;
		answer = parse(input.p, len, &head);
		if (answer.verdict == HTTP_PARTIAL)
			continue;
		check_same(&answer, whole);
		return;
	}
	/* What is wrong with a line is found at its end at the latest. */
	must(whole->verdict != HTTP_HEAD);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct http_head head;
	struct answer whole, part;
	struct span input;
	size_t cut;
	char *data;

	if (n == 0)
		return 0;
	input = span_make((const char *)bytes + 1, n - 1);
	cut = input.n * bytes[0] / 256;
	data = block_copy(input.p, cut);
	part = parse(data, cut, &head);
	free(data);
	whole = parse(input.p, input.n, &head);
	if (part.verdict != HTTP_PARTIAL)
		check_same(&part, &whole);
	if (whole.verdict == HTTP_HEAD)
		check_head(&head, whole.used, input);
	check_trickle(input, &whole);
	check_uri(input);
	return 0;
}
