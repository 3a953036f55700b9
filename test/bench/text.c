/*
 * A record has what compresses (its keys, words from a few) and what does not (numbers, times).
 */
#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { RECORD_MAX = 384, STATES = 3, CHANNELS = 4 };

static const char *const words[] = { "agent", "answer", "channel", "the", "session", "of",
	"message", "and", "to", "gateway", "worker", "event", "a", "tool", "in", "history", "user",
	"is", "reply", "stream", "1706", "42", "token", "for", "status", "done", "with", "error",
	"model", "on" };

static const char *const states[] = { "idle", "running", "waiting" };
static const char *const channels[] = { "telegram", "discord", "slack", "web" };

static uint32_t
next(uint32_t *random)
{
	*random = *random * 1664525 + 1013904223;
	return *random >> 16;
}

static const char *
word(uint32_t *random)
{
	return words[next(random) % (sizeof(words) / sizeof(words[0]))];
}

void
text_words(char *at, size_t n)
{
	uint32_t random = 1;
	size_t used = 0;

	while (used < n) {
		const char *w = word(&random);
		size_t len = strlen(w);

		if (len > n - used)
			len = n - used;
		memcpy(at + used, w, len);
		used += len;
		if (used < n)
			at[used++] = ' ';
	}
}

/* One session of a page of them. Returns its length. */
static size_t
write_record(char record[RECORD_MAX], unsigned number, uint32_t *random)
{
	const char *channel = channels[next(random) % CHANNELS];
	unsigned person = next(random), messages = next(random) % 500;
	unsigned in = next(random) % 20000, out = next(random) % 20000;
	unsigned hour = next(random) % 24, minute = next(random) % 60, ms = next(random) % 60000;
	int n;

	n = snprintf(record, RECORD_MAX,
	    "%s{\"sessionKey\":\"agent:main:%s:%u\",\"agent\":\"main\",\"channel\":\"%s\","
	    "\"model\":\"claude-opus\",\"state\":\"%s\",\"messages\":%u,\"tokensIn\":%u,"
	    "\"tokensOut\":%u,\"updatedAt\":\"2026-01-31T%02u:%02u:%02u.%03uZ\"}",
	    number > 0 ? "," : "", channel, person, channel, states[next(random) % STATES],
	    messages, in, out, hour, minute, ms / 1000, ms % 1000);
	return (size_t)n;
}

void
text_records(char *at, size_t n)
{
	static const char begin[] = "\",\"sessions\":[", end[] = "],\"y\":\"";
	const size_t around = sizeof(begin) + sizeof(end) - 2;
	uint32_t random = 1;
	char record[RECORD_MAX];
	size_t used = sizeof(begin) - 1;

	if (n < around) {
		text_words(at, n);
		return;
	}
	memcpy(at, begin, sizeof(begin) - 1);
	for (unsigned number = 0;; number++) {
		size_t len = write_record(record, number, &random);

		if (used + len + sizeof(end) - 1 > n)
			break;
		memcpy(at + used, record, len);
		used += len;
	}
	memcpy(at + used, end, sizeof(end) - 1);
	used += sizeof(end) - 1;
	text_words(at + used, n - used);
}
