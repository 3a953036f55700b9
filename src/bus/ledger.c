/*
 * Lines of the ledger as the records of cells. What is read is input like any other: a cause that there is not
 * is unknown, and every text ends.
 */
#include "bus/ledger.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/text.h"
#include "bus/cells.h"

enum {
	CELL_WORDS = 24,
	TEXTS_BYTES = 104,
};

struct record {
	uint32_t conn_id;
	uint16_t slot;
	uint16_t code;
	uint8_t cause;
	uint8_t family;
	uint16_t port;
	uint32_t messages;
	uint32_t lag;
	uint32_t spare;
	uint64_t connected_ms, closed_ms;
	uint64_t bytes_in, bytes_out;
	uint8_t address[LEDGER_ADDRESS_BYTES];
	char texts[TEXTS_BYTES];
};

enum { RECORD_WORDS = sizeof(struct record) / sizeof(uint64_t) };

static_assert(sizeof(struct record) == 176 && offsetof(struct record, texts) == 72, "as drawn");
static_assert(
    (int)RECORD_WORDS == CELL_WORDS - CELLS_HEAD_WORDS && (int)CELL_WORDS <= (int)CELLS_WORDS_MAX,
    "fills a cell");
static_assert((int)LEDGER_CLIENT_CAP + (int)LEDGER_DISPLAY_CAP < (int)TEXTS_BYTES &&
		  (int)LEDGER_REASON_CAP == (int)TEXTS_BYTES - 2,
    "a reason has room, and may have nearly all of it");
static_assert((int)LEDGER_CAUSES <= (int)UINT8_MAX, "has room in a byte");

struct ledger {
	struct cells cells;
};

uint64_t
ledger_bytes(void)
{
	return cells_bytes(LEDGER_LINES, CELL_WORDS);
}

struct ledger *
ledger_new(void *shared)
{
	struct ledger *ledger = mem_zalloc(sizeof(*ledger));

	if (ledger != NULL)
		ledger->cells = (struct cells){ shared, LEDGER_LINES, CELL_WORDS };
	return ledger;
}

void
ledger_free(struct ledger *ledger)
{
	mem_free(ledger);
}

void
ledger_format(struct ledger *ledger)
{
	cells_format(&ledger->cells);
}

void
ledger_set_text(char *ret, size_t cap, struct span text)
{
	size_t n = 0;

	while (n < text.n) {
		bool is_valid;
		size_t more = text_character(span_skip(text, n), &is_valid);

		if (n + more >= cap || text.p[n] == '\0')
			break;
		n += more;
	}
	memcpy(ret, text.p, n);
	memset(ret + n, 0, cap - n);
}

/* Puts a text of a line behind those that stand there; returns where the next one begins. */
static size_t
put_text(char texts[TEXTS_BYTES], size_t at, const char *text)
{
	ledger_set_text(texts + at, TEXTS_BYTES - at, span_cstr(text));
	return at + strlen(texts + at) + 1;
}

/* The text that begins at `at`, in a line that was read; returns where the next one begins. */
static size_t
get_text(const char texts[TEXTS_BYTES], size_t at, char *ret, size_t cap)
{
	size_t n = at < TEXTS_BYTES ? strnlen(texts + at, TEXTS_BYTES - at) : 0;

	ledger_set_text(ret, cap, n > 0 ? span_make(texts + at, n) : SPAN(""));
	return at + n + 1;
}

void
ledger_write(const struct ledger *ledger, const struct ledger_line *line)
{
	uint64_t words[RECORD_WORDS];
	struct record record = {
		.conn_id = line->conn_id,
		.slot = line->slot,
		.code = line->code,
		.cause = line->cause,
		.family = line->family,
		.port = line->port,
		.messages = line->messages,
		.lag = line->lag,
		.connected_ms = line->connected_ms,
		.closed_ms = line->closed_ms,
		.bytes_in = line->bytes_in,
		.bytes_out = line->bytes_out,
	};
	size_t at = put_text(record.texts, 0, line->client_id);

	at = put_text(record.texts, at, line->display_name);
	(void)put_text(record.texts, at, line->reason);
	memcpy(record.address, line->address, sizeof(record.address));
	memcpy(words, &record, sizeof(words));
	cells_put(&ledger->cells, cells_take(&ledger->cells, 1), words);
}

uint64_t
ledger_last(const struct ledger *ledger)
{
	return cells_last(&ledger->cells);
}

uint64_t
ledger_oldest(const struct ledger *ledger)
{
	return cells_oldest(&ledger->cells);
}

bool
ledger_read(const struct ledger *ledger, uint64_t number, struct ledger_line *ret)
{
	uint64_t words[RECORD_WORDS];
	struct record record;
	size_t at;

	if (!cells_get(&ledger->cells, number, words))
		return false;
	memcpy(&record, words, sizeof(record));
	*ret = (struct ledger_line){
		.conn_id = record.conn_id,
		.slot = record.slot,
		.code = record.code,
		.cause = record.cause < LEDGER_CAUSES ? record.cause : LEDGER_UNKNOWN,
		.family = record.family,
		.port = record.port,
		.messages = record.messages,
		.lag = record.lag,
		.connected_ms = record.connected_ms,
		.closed_ms = record.closed_ms,
		.bytes_in = record.bytes_in,
		.bytes_out = record.bytes_out,
	};
	memcpy(ret->address, record.address, sizeof(ret->address));
	at = get_text(record.texts, 0, ret->client_id, sizeof(ret->client_id));
	at = get_text(record.texts, at, ret->display_name, sizeof(ret->display_name));
	(void)get_text(record.texts, at, ret->reason, sizeof(ret->reason));
	return true;
}

bool
ledger_find(const struct ledger *ledger, uint32_t conn_id, struct ledger_line *ret)
{
	uint64_t oldest = ledger_oldest(ledger);

	for (uint64_t number = ledger_last(ledger); number >= oldest && number > 0; number--)
		if (ledger_read(ledger, number, ret) && ret->conn_id == conn_id)
			return true;
	return false;
}
