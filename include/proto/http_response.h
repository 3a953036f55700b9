/*
 * HTTP/1.1 responses written, for ordinary requests and for refusals. The 101 of an upgrade is
 * handshake.h's.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"

/*
 * Appends a whole response: status line, Content-Type (unless content_type is NULL),
 * Content-Length, "Connection: close" unless keep_alive, extra_header_lines (complete lines with
 * their CRLF, or empty), body. head_only leaves the body out but tells its length, as an answer
 * to HEAD must. With 1xx and 204 there is no body and no length. Date is the caller's, in
 * extra_header_lines: this layer has no clock. Failure of memory shows in buf_status(out).
 */
void http_response_write(struct buf *out, int status, const char *content_type, struct span body,
    bool keep_alive, struct span extra_header_lines, bool head_only);

/*
 * Appends the head of a 200 whose body has no length and ends with the connection (RFC 9112 section 6.3),
 * which every version of HTTP/1 knows and any number of clients can be sent in the same bytes.
 */
void http_response_write_open(
    struct buf *out, const char *content_type, struct span extra_header_lines);

/* The reason phrase of a status code, "Not Found" for 404; "Unknown" for one never sent here. */
const char *http_status_text(int status);
