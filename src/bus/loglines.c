/*
 * Lines of the log as runs of cells. The numbers of a run are taken together, so its cells follow each other
 * whoever else writes.
 */
#include "bus/loglines.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "bus/cells.h"

enum {
	CELL_WORDS = 16,
	TEXT_BYTES = 104,
	CELLS_OF_A_LINE_MAX = (LOG_LINE_MAX + TEXT_BYTES - 1) / TEXT_BYTES,
	CELLS = LOGLINES_BYTES / (CELL_WORDS * 8),
};

struct record {
	uint8_t level;
	uint8_t index, count;
	uint8_t spare;
	uint16_t bytes;
	uint16_t spare16;
	char text[TEXT_BYTES];
};

static_assert(
    sizeof(struct record) == (CELL_WORDS - CELLS_HEAD_WORDS) * sizeof(uint64_t), "fills a cell");
static_assert((int)CELLS_OF_A_LINE_MAX <= (int)UINT8_MAX, "counted in a byte");

struct loglines {
	struct cells cells;
};

uint64_t
loglines_bytes(void)
{
	return cells_bytes(CELLS, CELL_WORDS);
}

struct loglines *
loglines_new(void *shared)
{
	struct loglines *lines = mem_zalloc(sizeof(*lines));

	if (lines != NULL)
		lines->cells = (struct cells){ shared, CELLS, CELL_WORDS };
	return lines;
}

void
loglines_free(struct loglines *lines)
{
	mem_free(lines);
}

void
loglines_format(struct loglines *lines)
{
	cells_format(&lines->cells);
}

void
loglines_add(const struct loglines *lines, enum log_level level, struct span text)
{
	uint64_t words[CELL_WORDS - CELLS_HEAD_WORDS], number;
	uint8_t count;

	text.n = min_size(text.n, LOG_LINE_MAX);
	count = (uint8_t)max_size((text.n + TEXT_BYTES - 1) / TEXT_BYTES, 1);
	number = cells_take(&lines->cells, count);
	for (uint8_t i = 0; i < count; i++) {
		struct span part = span_skip(text, (size_t)i * TEXT_BYTES);
		struct record record = { .level = (uint8_t)level, .index = i, .count = count };

		record.bytes = (uint16_t)min_size(part.n, TEXT_BYTES);
		memcpy(record.text, part.p, record.bytes);
		memcpy(words, &record, sizeof(words));
		cells_put(&lines->cells, number + i, words);
	}
}

uint64_t
loglines_oldest(const struct loglines *lines)
{
	return cells_oldest(&lines->cells);
}

uint64_t
loglines_end(const struct loglines *lines)
{
	return cells_last(&lines->cells) + 1;
}

static bool
get(const struct loglines *lines, uint64_t number, struct record *ret)
{
	uint64_t words[CELL_WORDS - CELLS_HEAD_WORDS];

	if (!cells_get(&lines->cells, number, words))
		return false;
	memcpy(ret, words, sizeof(*ret));
	return ret->bytes <= TEXT_BYTES && ret->index < ret->count &&
	       ret->count <= CELLS_OF_A_LINE_MAX && ret->level <= LOG_LEVEL_ERROR;
}

/* The line whose first cell was just read. */
static bool
gather(
    const struct loglines *lines, uint64_t number, const struct record *first, struct logline *ret)
{
	struct record record = *first;

	ret->level = (enum log_level)first->level;
	ret->len = 0;
	for (uint8_t i = 0;;) {
		size_t n = min_size(record.bytes, sizeof(ret->text) - ret->len);

		memcpy(ret->text + ret->len, record.text, n);
		ret->len += n;
		if (++i == first->count)
			return true;
		if (!get(lines, number + i, &record) || record.index != i ||
		    record.count != first->count)
			return false;
	}
}

bool
loglines_next(const struct loglines *lines, uint64_t *cursor, uint64_t end, struct logline *ret)
{
	uint64_t number = max_u64(*cursor, loglines_oldest(lines));

	while (number < end) {
		struct record first;

		if (get(lines, number, &first) && first.index == 0 &&
		    gather(lines, number, &first, ret)) {
			*cursor = number + first.count;
			return true;
		}
		number++;
	}
	*cursor = number;
	return false;
}
