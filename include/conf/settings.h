/*
 * The table of all settings: each stands here once, and everything else follows from it: keys of
 * the files, environment variables, flags, defaults, bounds, `config show`, and what the sample
 * file and the manual page are tested against. Names follow by rule:
 *
 *	gateway.log_level            in the files: {"gateway":{"log_level":...}}
 *	LURKBOT_GATEWAY__LOG_LEVEL   in the environment and in .env
 *	--log-level                  as a flag
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum setting_type {
	SETTING_BOOL,
	SETTING_INT,
	SETTING_STRING,
	SETTING_ENUM,
	SETTING_LIST,	/* of strings */
	SETTING_SECRET, /* a string of which only the digest is kept */
	SETTING_TOKENS, /* a list of those, or of objects that say more */
};

/* What it takes for a changed value to count. */
enum setting_change {
	SETTING_BY_RESTART,	   /* it is laid out at the start */
	SETTING_BY_RELOAD,	   /* at once, also for the connections that there are */
	SETTING_BY_RELOAD_FOR_NEW, /* at once, for connections made from then on */
};

enum { SETTING_NAME_MAX = 64 }; /* bytes of a variable or flag, its NUL included */

struct setting {
	const char *key; /* "gateway.port" */
	enum setting_type type;
	size_t offset;		    /* of the member in struct conf */
	size_t size;		    /* of that member: 2, 4 or 8 bytes for integers */
	size_t count_offset;	    /* SETTING_LIST: of the member that counts the items */
	const char *default_text;   /* in the form that environment and flags use */
	int64_t min, max;	    /* SETTING_INT: inclusive */
	const char *const *choices; /* SETTING_ENUM: ends with NULL; the index is the value */
	enum setting_change changed_by;
	bool is_secret;		    /* its value is never shown, nor what is wrong with it */
	const char *unit;	    /* "bytes", "ms", or what is counted; NULL: none */
	const char *help;	    /* one line for people, without a full stop */
	bool (*check)(struct span); /* STRING, items of a LIST: whether this one is good */
	const char *wanted;	    /* the same: what it must be, "the path of a file ..." */
};

/* The table, settings_count() rows, in the order in which files and manual page list them. */
extern const struct setting settings[];

/* The number of rows. */
size_t settings_count(void);

/* The place of a row in the table, 0 .. settings_count() - 1. */
size_t settings_index(const struct setting *);

/* The setting of this key, such as "gateway.port"; NULL: there is none. */
const struct setting *settings_by_key(struct span key);

/* The setting of this flag, such as "--log-level", the dashes optional; NULL: there is none. */
const struct setting *settings_by_flag(struct span flag);

/*
 * The setting of this environment variable, such as "LURKBOT_GATEWAY__PORT"; NULL: there is none.
 * Does not know the aliases, see settings_by_alias.
 */
const struct setting *settings_by_variable(struct span variable);

/*
 * The setting for which this older variable stands in when its own is not set in the same place:
 * LURKBOT_GATEWAY_HOST and LURKBOT_GATEWAY_PORT. NULL: it is no alias.
 */
const struct setting *settings_by_alias(struct span variable);

/* Whether it can be given as a flag: a secret cannot, since everybody can see the flags of a process. */
bool setting_has_flag(const struct setting *);

/* Writes the flag of the setting, "--log-level", terminated. */
void setting_flag(const struct setting *, char ret_flag[SETTING_NAME_MAX]);

/* Writes the environment variable of the setting, "LURKBOT_GATEWAY__LOG_LEVEL", terminated. */
void setting_variable(const struct setting *, char ret_variable[SETTING_NAME_MAX]);

/* The type in words: "boolean", "integer", "string", "choice", "list of strings", "secret", … */
const char *setting_type_name(enum setting_type);

/* What changes it, in words: "restart", "reload", "reload, for new connections". */
const char *setting_change_name(enum setting_change);
