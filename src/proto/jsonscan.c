/*
 * The hot path of every frame: one pass, no allocation, no recursion.
 *
 * Invariants: the cursor moves forward only; nothing at or past end is read; a step that returns
 * true has proved everything it passed. Strings take most of the bytes, so their plain ASCII runs
 * are passed eight bytes at a time.
 */
#include "proto/jsonscan.h"

#include <assert.h>
#include <endian.h>
#include <stdint.h>
#include <string.h>

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

static_assert(JSON_DEPTH_MAX <= 64, "one bit of a uint64_t for each level");

enum step { STEP_VALUE, STEP_KEY, STEP_AFTER, STEP_DONE, STEP_FAIL };

/* The containers that the cursor is in: bit i says whether level i is an object. */
struct nesting {
	uint64_t is_object;
	unsigned level, limit;
};

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/*
 * The high bit of each byte that is zero. Borrows can set bits above the first zero byte, never
 * below: the lowest bit set is always right.
 */
static uint64_t
zero_bytes(uint64_t word)
{
	return (word - ONES) & ~word & HIGHS;
}

/* The first byte at or after p that is not printable ASCII, or is a quote or a backslash. */
static const char *
skip_plain(const char *p, const char *end)
{
	while (end - p >= 8) {
		uint64_t word, stop;

		memcpy(&word, p, sizeof(word));
		word = le64toh(word);
		stop = (word & HIGHS) | ((word - ONES * 0x20) & ~word & HIGHS) |
		       zero_bytes(word ^ ONES * '"') | zero_bytes(word ^ ONES * '\\');
		if (stop != 0)
			return p + (__builtin_ctzll(stop) >> 3);
		p += 8;
	}
	while (p < end && is_plain((unsigned char)*p))
		p++;
	return p;
}

static bool
is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* The length of the multi-byte character at p (RFC 3629, table 3-7 of Unicode), 0 when it is none. */
static inline size_t
multibyte_length(const unsigned char *p, size_t left)
{
	unsigned char lead = p[0];

	if ((lead & 0xf0) == 0xe0) {
		if (left < 3 || !is_tail(p[1]) || !is_tail(p[2]))
			return 0;
		/* Neither overlong nor a surrogate. */
		return (lead == 0xe0 && p[1] < 0xa0) || (lead == 0xed && p[1] > 0x9f) ? 0 : 3;
	}
	if (lead < 0xe0)
		return lead >= 0xc2 && left >= 2 && is_tail(p[1]) ? 2 : 0;
	if (left < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3]) || lead > 0xf4)
		return 0;
	/* Neither overlong nor above U+10FFFF. */
	return (lead == 0xf0 && p[1] < 0x90) || (lead == 0xf4 && p[1] > 0x8f) ? 0 : 4;
}

/* Passes a run of multi-byte characters, as most scripts have them. */
static bool
scan_multibyte(struct jsonscan *scan)
{
	const char *p = scan->p;
	size_t n = 1;

	while (p < scan->end && (*p & 0x80) != 0 && n != 0) {
		n = multibyte_length((const unsigned char *)p, (size_t)(scan->end - p));
		p += n;
	}
	scan->p = p;
	return n != 0 || jsonscan_fail(scan, "a string must be valid UTF-8");
}

/* The length of the escape at p, which is a backslash; 0 when it is none. */
static size_t
escape_length(const char *p, size_t left)
{
	if (left < 2)
		return 0;
	switch (p[1]) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		return 2;
	case 'u':
		if (left < 6 || !is_hex(p[2]) || !is_hex(p[3]) || !is_hex(p[4]) || !is_hex(p[5]))
			return 0;
		return 6;
	default:
		return 0;
	}
}

/* Passes one escape. */
static bool
scan_escape(struct jsonscan *scan)
{
	size_t n = escape_length(scan->p, (size_t)(scan->end - scan->p));

	scan->p += n;
	return n != 0 || jsonscan_fail(scan, "a backslash must begin a valid escape");
}

/* The cursor stands on the opening quote. */
static bool
scan_string(struct jsonscan *scan)
{
	bool ok = true;

	scan->p++;
	while (ok) {
		scan->p = skip_plain(scan->p, scan->end);
		if (scan->p == scan->end)
			return jsonscan_fail(scan, "a string must end with a quotation mark");
		if (*scan->p == '"') {
			scan->p++;
			return true;
		}
		if (*scan->p == '\\')
			ok = scan_escape(scan);
		else if ((unsigned char)*scan->p < 0x20)
			ok = jsonscan_fail(scan, "a control character must be escaped");
		else
			ok = scan_multibyte(scan);
	}
	return false;
}

/* Passes digits, of which there must be one. */
static bool
scan_digits(struct jsonscan *scan)
{
	if (scan->p == scan->end || !is_digit(*scan->p))
		return jsonscan_fail(scan, "a number must have a digit here");
	while (scan->p < scan->end && is_digit(*scan->p))
		scan->p++;
	return true;
}

/* Passes one byte if it is a or b. */
static bool
scan_either(struct jsonscan *scan, char a, char b)
{
	if (scan->p == scan->end || (*scan->p != a && *scan->p != b))
		return false;
	scan->p++;
	return true;
}

static bool
scan_number_text(struct jsonscan *scan)
{
	(void)scan_either(scan, '-', '-');
	if (scan_either(scan, '0', '0')) {
		if (scan->p < scan->end && is_digit(*scan->p))
			return jsonscan_fail(scan, "a number must not begin with zeros");
	} else if (!scan_digits(scan)) {
		return false;
	}
	if (scan_either(scan, '.', '.') && !scan_digits(scan))
		return false;
	if (scan_either(scan, 'e', 'E')) {
		(void)scan_either(scan, '+', '-');
		return scan_digits(scan);
	}
	return true;
}

static bool
scan_number(struct jsonscan *scan)
{
	const char *begin = scan->p;

	if (!scan_number_text(scan))
		return false;
	if (scan->p - begin > JSON_NUMBER_MAX)
		return jsonscan_fail(scan, "a number must have at most 64 bytes");
	return true;
}

static bool
scan_literal(struct jsonscan *scan, const char *word, size_t n)
{
	if ((size_t)(scan->end - scan->p) < n || memcmp(scan->p, word, n) != 0)
		return jsonscan_fail(scan,
		    "a value must be a string, a number, an object, an array, "
		    "true, false or null");
	scan->p += n;
	return true;
}

static enum json_kind
kind_of(char c)
{
	switch (c) {
	case '"':
		return JSON_STRING;
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case 't':
	case 'f':
		return JSON_BOOL;
	case 'n':
		return JSON_NULL;
	default:
		return JSON_NUMBER;
	}
}

static enum step
open_container(struct jsonscan *scan, struct nesting *nesting, bool is_object)
{
	if (nesting->level == nesting->limit) {
		(void)jsonscan_fail(scan, "values must be nested at most 64 levels deep");
		return STEP_FAIL;
	}
	nesting->is_object = nesting->is_object << 1 | (is_object ? 1 : 0);
	nesting->level++;
	scan->p++;
	if (jsonscan_punct(scan, is_object ? '}' : ']')) {
		nesting->is_object >>= 1;
		nesting->level--;
		return STEP_AFTER;
	}
	return is_object ? STEP_KEY : STEP_VALUE;
}

static enum step
step_value(struct jsonscan *scan, struct nesting *nesting)
{
	bool ok;

	if (scan->p == scan->end) {
		(void)jsonscan_fail(scan, "a value is missing at the end");
		return STEP_FAIL;
	}
	switch (*scan->p) {
	case '{':
		return open_container(scan, nesting, true);
	case '[':
		return open_container(scan, nesting, false);
	case '"':
		ok = scan_string(scan);
		break;
	case 't':
		ok = scan_literal(scan, "true", 4);
		break;
	case 'f':
		ok = scan_literal(scan, "false", 5);
		break;
	default:
		ok = is_digit(*scan->p) || *scan->p == '-' ? scan_number(scan)
							   : scan_literal(scan, "null", 4);
		break;
	}
	return ok ? STEP_AFTER : STEP_FAIL;
}

/* A value is complete: what goes on in the container around it, if there is one. */
static enum step
step_after(struct jsonscan *scan, struct nesting *nesting)
{
	bool is_object = (nesting->is_object & 1) != 0, more;

	if (nesting->level == 0)
		return STEP_DONE;
	if (!jsonscan_more(scan, is_object ? '}' : ']', &more))
		return STEP_FAIL;
	if (more)
		return is_object ? STEP_KEY : STEP_VALUE;
	nesting->is_object >>= 1;
	nesting->level--;
	return STEP_AFTER;
}

void
jsonscan_init(struct jsonscan *scan, struct span text)
{
	scan->begin = scan->p = text.n > 0 ? text.p : "";
	scan->end = scan->begin + text.n;
	scan->fault = NULL;
}

bool
jsonscan_fail(struct jsonscan *scan, const char *fault)
{
	scan->fault = fault;
	return false;
}

void
jsonscan_space(struct jsonscan *scan)
{
	while (scan->p < scan->end &&
	       (*scan->p == ' ' || *scan->p == '\n' || *scan->p == '\t' || *scan->p == '\r'))
		scan->p++;
}

bool
jsonscan_punct(struct jsonscan *scan, char wanted)
{
	jsonscan_space(scan);
	return scan_either(scan, wanted, wanted);
}

bool
jsonscan_value(struct jsonscan *scan, unsigned depth, struct json_value *ret)
{
	struct nesting nesting = { .limit = JSON_DEPTH_MAX - depth };
	const char *from = scan->p;
	enum step step = STEP_VALUE;
	struct span key;

	while (step != STEP_DONE) {
		switch (step) {
		case STEP_VALUE:
			step = step_value(scan, &nesting);
			break;
		case STEP_KEY:
			step = jsonscan_key(scan, &key) ? STEP_VALUE : STEP_FAIL;
			break;
		case STEP_AFTER:
			step = step_after(scan, &nesting);
			break;
		case STEP_DONE:
		case STEP_FAIL:
			return false;
		}
	}
	ret->kind = kind_of(*from);
	ret->text = span_make(from, (size_t)(scan->p - from));
	return true;
}

bool
jsonscan_key(struct jsonscan *scan, struct span *ret)
{
	const char *from = scan->p + 1;

	if (scan->p == scan->end || *scan->p != '"')
		return jsonscan_fail(scan, "a key must be a string in quotation marks");
	if (!scan_string(scan))
		return false;
	*ret = span_make(from, (size_t)(scan->p - 1 - from));
	if (!jsonscan_punct(scan, ':'))
		return jsonscan_fail(scan, "a colon must follow a key");
	jsonscan_space(scan);
	return true;
}

bool
jsonscan_more(struct jsonscan *scan, char closer, bool *ret_more)
{
	if (jsonscan_punct(scan, ',')) {
		jsonscan_space(scan);
		*ret_more = true;
		return true;
	}
	if (!scan_either(scan, closer, closer))
		return jsonscan_fail(scan, "a comma or the closing bracket must follow a value");
	*ret_more = false;
	return true;
}

bool
jsonscan_finish(struct jsonscan *scan)
{
	jsonscan_space(scan);
	if (scan->p != scan->end)
		return jsonscan_fail(scan, "nothing must follow the value");
	return true;
}
