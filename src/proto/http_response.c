/*
 * HTTP/1.1 responses written. Every one tells its length, so that the connection can be kept.
 */
#include "proto/http_response.h"

#include <stddef.h>

#include "base/macros.h"

struct status_text {
	int status;
	const char *text;
};

/* RFC 9110 section 15 and RFC 6585; what this server sends. */
static const struct status_text status_texts[] = {
	{ 100, "Continue" },
	{ 101, "Switching Protocols" },
	{ 200, "OK" },
	{ 204, "No Content" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 411, "Length Required" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 426, "Upgrade Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

void
http_response_write(struct buf *out, int status, const char *content_type, struct span body,
    bool keep_alive, struct span extra_header_lines, bool head_only)
{
	bool has_length = status >= 200 && status != 204;

	buf_printf(out, "HTTP/1.1 %d %s\r\n", status, http_status_text(status));
	if (content_type != NULL)
		buf_printf(out, "Content-Type: %s\r\n", content_type);
	if (has_length)
		buf_printf(out, "Content-Length: %zu\r\n", body.n);
	if (!keep_alive)
		buf_append_cstr(out, "Connection: close\r\n");
	buf_append_span(out, extra_header_lines);
	buf_append_cstr(out, "\r\n");
	if (has_length && !head_only)
		buf_append_span(out, body);
}

void
http_response_write_open(struct buf *out, const char *content_type, struct span extra_header_lines)
{
	buf_printf(
	    out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nConnection: close\r\n", content_type);
	buf_append_span(out, extra_header_lines);
	buf_append_cstr(out, "\r\n");
}

const char *
http_status_text(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(status_texts); i++)
		if (status_texts[i].status == status)
			return status_texts[i].text;
	return "Unknown";
}
