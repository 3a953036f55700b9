/*
 * The last message of each of 64 keys is kept as it came and as it was. What it came as is compared
 * whole, so that a wrong byte is never taken for a right one.
 */
#include "inflate.h"

#include <stdlib.h>
#include <zlib.h>

#include "base/buf.h"
#include "client.h"

enum { KEPT = 64, ROOM = 64 * 1024, RAW = -15 };

struct kept {
	struct buf compressed, plain;
};

struct inflater {
	z_stream z;
	struct kept kept[KEPT];
};

struct inflater *
inflater_new(void)
{
	struct inflater *inflater = calloc(1, sizeof(*inflater));

	if (inflater == NULL || inflateInit2(&inflater->z, RAW) != Z_OK)
		bench_die("out of memory");
	return inflater;
}

void
inflater_free(struct inflater *inflater)
{
	if (inflater == NULL)
		return;
	for (unsigned i = 0; i < KEPT; i++) {
		buf_fini(&inflater->kept[i].compressed);
		buf_fini(&inflater->kept[i].plain);
	}
	inflateEnd(&inflater->z);
	free(inflater);
}

/* The sender has cut the four bytes off that end each message (section 7.2.2). */
static void
inflate_kept(z_stream *z, struct kept *k)
{
	static const char tail[] = { 0, 0, (char)0xff, (char)0xff };
	int rc;

	buf_append(&k->compressed, tail, sizeof(tail));
	z->next_in = (Bytef *)k->compressed.data;
	z->avail_in = (uInt)k->compressed.len;
	do {
		if (!buf_reserve(&k->plain, ROOM))
			bench_die("out of memory");
		z->next_out = (Bytef *)k->plain.data + k->plain.len;
		z->avail_out = ROOM;
		rc = inflate(z, Z_SYNC_FLUSH);
		k->plain.len += ROOM - z->avail_out;
	} while (rc == Z_OK && z->avail_out == 0);
	if (rc != Z_OK && rc != Z_BUF_ERROR && rc != Z_STREAM_END)
		bench_die("a message that cannot be inflated");
	k->compressed.len -= sizeof(tail);
	inflateReset(z);
}

struct span
inflater_message(struct inflater *inflater, uint64_t key, struct span compressed)
{
	struct kept *k = &inflater->kept[key % KEPT];

	if (compressed.n == 0 || !span_is_equal(buf_span(&k->compressed), compressed)) {
		buf_reset(&k->compressed);
		buf_reset(&k->plain);
		buf_append_span(&k->compressed, compressed);
		inflate_kept(&inflater->z, k);
	}
	return buf_span(&k->plain);
}
