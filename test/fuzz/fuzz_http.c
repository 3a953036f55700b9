/*
 * Request heads and all that reads them. Beside crashes, what must hold for any bytes: the
 * verdict of a prefix is PARTIAL or the verdict of the whole; what was accepted lies inside the
 * bytes; the handshake and the Origin rule take any accepted head.
 *
 * The first byte says where the head is cut in two, in 256ths.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/handshake.h"
#include "proto/http.h"
#include "proto/origin.h"
#include "proto/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void
must(bool holds)
{
	if (!holds)
		abort();
}

static void
check_head(const struct http_head *head, size_t used, size_t len)
{
	static const char *const allowed[] = { "https://app.example.org", "tauri://localhost" };
	const struct http_header *origin = http_head_find(head, "Origin");
	struct handshake handshake;
	struct http_fault fault;
	char path[HTTP_TARGET_MAX];
	size_t path_len;

	must(used <= len && used <= HTTP_HEAD_MAX && head->header_count <= HTTP_HEADERS_MAX);
	must(head->path.n > 0 && (head->minor == 0 || head->host.n > 0));
	must(!head->chunked || head->content_length == 0);
	if (uri_decode(head->path, path, sizeof(path), &path_len) == 0)
		must(path_len <= head->path.n);
	if (origin != NULL)
		(void)origin_check(origin->value, head->host, allowed, 2, false);
	switch (handshake_check(head, &handshake, &fault)) {
	case HANDSHAKE_UPGRADE:
		must(handshake.key.n == 24);
		break;
	case HANDSHAKE_BAD:
		must(fault.text != NULL && fault.header_lines != NULL);
		break;
	case HANDSHAKE_PLAIN:
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct http_head head;
	struct http_fault fault = { 0 }, part_fault = { 0 };
	size_t used = 0, part_used = 0, len, cut;
	enum http_verdict verdict, part;
	char *data;

	if (n == 0)
		return 0;
	len = n - 1;
	cut = len * bytes[0] / 256;
	data = malloc(cut + 1); /* of its own size, so that the sanitizer sees its end */
	must(data != NULL);
	memcpy(data, bytes + 1, cut);
	part = http_head_parse(data, cut, &head, &part_used, &part_fault);
	free(data);
	verdict = http_head_parse((const char *)bytes + 1, len, &head, &used, &fault);
	if (part != HTTP_PARTIAL)
		must(part == verdict && part_used == used && part_fault.text == fault.text);
	if (verdict == HTTP_HEAD)
		check_head(&head, used, len);
	return 0;
}
