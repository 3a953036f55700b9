/*
 * Pieces between '+' are decoded as the rest of a URI is.
 */
#include "proto/query.h"

#include <errno.h>
#include <string.h>

#include "proto/uri.h"

/* Takes what stands before the byte off the text, and the byte. */
static struct span
take_until(struct span *text, char byte)
{
	const char *at = text->n > 0 ? memchr(text->p, byte, text->n) : NULL;
	size_t n = at != NULL ? (size_t)(at - text->p) : text->n;
	struct span piece = span_make(text->p, n);

	*text = span_skip(*text, at != NULL ? n + 1 : n);
	return piece;
}

bool
query_next(struct span *query, struct query_pair *ret)
{
	while (query->n > 0) {
		struct span pair = take_until(query, '&');

		if (pair.n == 0)
			continue;
		ret->name = take_until(&pair, '=');
		ret->value = pair;
		return true;
	}
	return false;
}

int
query_decode(struct span text, char *out, size_t cap, size_t *ret_len)
{
	size_t n = 0;

	while (text.n > 0) {
		size_t before = text.n, piece_len = 0;
		struct span piece = take_until(&text, '+');
		int r = uri_decode(piece, out + n, cap - n, &piece_len);

		if (r < 0)
			return r;
		n += piece_len;
		if (before == piece.n)
			break;
		if (n == cap)
			return -ENOSPC;
		out[n++] = ' ';
	}
	*ret_len = n;
	return 0;
}
