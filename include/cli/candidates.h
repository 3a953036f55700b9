/*
 * What can be typed where, read from the tables of verbs, options and settings, in the form in
 * which scripts that complete a command line need it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"
#include "cli/verb.h"
#include "conf/settings.h"

struct invocation;

/* What may stand behind an option, or for an operand. */
enum candidate_kind {
	CANDIDATE_NONE,	 /* nothing */
	CANDIDATE_ANY,	 /* something that nobody can guess */
	CANDIDATE_FILE,	 /* the path of a file */
	CANDIDATE_DIR,	 /* the path of a folder */
	CANDIDATE_WORDS, /* one of some words */
};

/* An option or a setting's flag. */
struct candidate {
	char name[SETTING_NAME_MAX]; /* "--log-level" */
	char letter;		     /* 'n' for -n; 0: none */
	const char *help;
	enum candidate_kind kind;
	const char *argument;	    /* CANDIDATE_WORDS: "loopback|lan", or NULL and then: */
	const char *const *choices; /* ends with NULL */
};

/* The next option of the verb; the cursor starts at 0. False: there are no more. */
bool candidates_next(const struct verb *, size_t *cursor, struct candidate *ret);

/* Appends the words of a candidate, a space between them. */
void candidates_words(const struct candidate *, struct buf *out);

/* What the verb's operand may be, and for CANDIDATE_WORDS appends them, a space between them. */
enum candidate_kind candidates_operand(const struct verb *, struct buf *out);

/*
 * The next beginning of verbs that more words follow: "", "gateway", "gateway config". The cursor
 * starts at 0; false: there are no more.
 */
bool candidates_next_prefix(const struct invocation *, size_t *cursor, struct span *ret);

/*
 * The next word that may follow this beginning, each once; the first verb that has it, which is that
 * verb itself if nothing follows. The cursor starts at 0; false: there are no more.
 */
bool candidates_next_word(const struct invocation *, struct span prefix, size_t *cursor,
    struct span *ret_word, const struct verb **ret_verb);
