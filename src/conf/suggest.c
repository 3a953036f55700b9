/*
 * Nearness of words: the edit distance with swaps of neighbours, by rows. Only words of different
 * length and order of letters that a slip of the fingers makes count as near.
 */
#include "conf/suggest.h"

#include <stdbool.h>

enum { FAR = 3 };

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned
lesser(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned
suggest_distance(struct span a, struct span b)
{
	/* rows[0] is the row in the making, rows[1] the one above it, rows[2] the one above that */
	unsigned rows[3][SETTING_NAME_MAX + 1] = { 0 };

	/* Each character more is one slip more. */
	if (a.n > SETTING_NAME_MAX || b.n > SETTING_NAME_MAX || a.n + FAR <= b.n ||
	    b.n + FAR <= a.n)
		return FAR;
	for (unsigned j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		memcpy(rows[2], rows[1], sizeof(rows[2]));
		memcpy(rows[1], rows[0], sizeof(rows[1]));
		rows[0][0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			char x = lower(a.p[i - 1]), y = lower(b.p[j - 1]);
			bool is_swap =
			    i > 1 && j > 1 && x == lower(b.p[j - 2]) && y == lower(a.p[i - 2]);

			rows[0][j] = lesser(rows[1][j], rows[0][j - 1]) + 1;
			rows[0][j] = lesser(rows[0][j], rows[1][j - 1] + (x != y));
			if (is_swap)
				rows[0][j] = lesser(rows[0][j], rows[2][j - 2] + 1);
		}
	}
	return lesser(rows[0][b.n], FAR);
}

const struct setting *
suggest_setting(struct span key)
{
	const struct setting *nearest = NULL;
	unsigned distance = FAR;

	for (size_t i = 0; i < settings_count(); i++) {
		unsigned d = suggest_distance(key, span_cstr(settings[i].key));

		if (d < distance) {
			distance = d;
			nearest = &settings[i];
		}
	}
	return nearest;
}

const char *
suggest_word(struct span word, const char *const *words)
{
	const char *nearest = NULL;
	unsigned distance = FAR;

	for (; *words != NULL; words++) {
		unsigned d = suggest_distance(word, span_cstr(*words));

		if (d < distance) {
			distance = d;
			nearest = *words;
		}
	}
	return nearest;
}
