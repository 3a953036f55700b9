/*
 * The body of an HTTP/1.1 request as it arrives: of a known length, or in chunks (RFC 9112 section 7.1).
 *
 *	chunked:  SIZE [;extensions] CRLF  DATA CRLF  …  0 [;extensions] CRLF  (NAME: VALUE CRLF)*  CRLF
 *
 * Chunks are read as strictly as heads (proto/http.h), since where one ends decides where the next request
 * begins: at most 16 hexadecimal digits, CR LF and no other end of a line, nothing behind the digits but
 * extensions.  Extensions and trailer fields are proved well-formed and thrown away, at most
 * HTTPBODY_OVERHEAD_MAX bytes of them.
 *
 * No I/O; what was taken need not come again.  The verdict does not depend on how the bytes were cut.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/macros.h"

enum {
	HTTPBODY_OVERHEAD_MAX = 4096, /* bytes of extensions and trailer fields together */
};

enum httpbody_verdict {
	HTTPBODY_MORE,	    /* nothing wrong so far; all bytes were taken, and more have to come */
	HTTPBODY_DONE,	    /* that was all of it; behind what was taken the next request begins */
	HTTPBODY_BAD,	    /* no chunks: answer 400 with the sentence, then close */
	HTTPBODY_TOO_LARGE, /* more than the limit: answer 413, then close */
	HTTPBODY_NOMEM,
};

struct httpbody {
	unsigned state;
	unsigned digits;
	uint64_t left;	  /* bytes of the body, or of this chunk, that have still to come */
	uint64_t limit;	  /* for the content in all */
	size_t overhead;  /* bytes of extensions and trailer fields so far */
	const char *what; /* after HTTPBODY_BAD: one sentence, static */
};

/*
 * Begins a body: chunked, or of content_length bytes (0: it is done at once), of which at most limit_bytes
 * are taken.
 */
void httpbody_init(
    struct httpbody *body, bool chunked, uint64_t content_length, uint64_t limit_bytes);

/*
 * Takes bytes: appends what is content to `content` and sets *ret_used to how many were taken.  Not to be
 * called again after any verdict but HTTPBODY_MORE.
 */
enum httpbody_verdict httpbody_take(struct httpbody *body, const char *data, size_t len,
    struct buf *content, size_t *ret_used) must_check;
