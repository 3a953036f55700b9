/*
 * A configuration in the making. The places are laid over it one after the other, lowest first:
 * each is a layer, and a value replaces what lower layers said. A value that is refused is reported
 * with its place, and what lower layers said stays, so that all errors of all layers are found.
 *
 * `place` is where a value stands, "FILE:LINE", a variable or a flag; it becomes the setting's
 * source. Want of memory sticks in `status`.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"
#include "base/span.h"
#include "conf/data.h"
#include "conf/report.h"
#include "conf/settings.h"

struct draft_mark {
	bool is_bad;	/* some layer's value was refused */
	unsigned layer; /* the last that gave a value, 0: none */
};

struct draft {
	struct conf *conf;
	struct conf_report *report; /* the caller's */
	struct draft_mark *marks;   /* one for each row of the table */
	unsigned layer;
	int status; /* 0 or -ENOMEM */
};

/*
 * Begins with nothing set, errors going to the report. 0, or -ENOMEM: then only draft_fini, which
 * must end it in every case, may be called.
 */
int draft_init(struct draft *, struct conf_report *) must_check;

/* Hands the configuration out, once; draft_fini then leaves it alone. */
struct conf *draft_steal(struct draft *) must_check;

/* Frees what was not handed out. */
void draft_fini(struct draft *);

/* Frees a configuration, whole or half-built; takes NULL. */
void draft_free_conf(struct conf *);

/* Begins the next layer. */
void draft_begin_layer(struct draft *);

/* Notes that the file was read, and, if so asked, that it is the one that won. */
void draft_add_file(struct draft *, const char *path, bool is_config);

/* Sets a SETTING_BOOL. */
void draft_set_bool(struct draft *, const struct setting *, bool, const char *place);

/* Sets a SETTING_INT, within its bounds. */
void draft_set_integer(struct draft *, const struct setting *, int64_t, const char *place);

/* Sets a SETTING_STRING that its check likes, or a SETTING_ENUM to one of its choices. */
void draft_set_string(struct draft *, const struct setting *, struct span, const char *place);

/* Begins a list: empties it, unless this layer has begun it already. */
void draft_begin_list(struct draft *, const struct setting *, const char *place);

/* Adds an item that the list's check likes; index is where it stands there, for the report. */
void draft_add_item(
    struct draft *, const struct setting *, struct span, size_t index, const char *place);

/* Sets a SETTING_SECRET; what it was is never shown. */
void draft_set_secret(struct draft *, const struct setting *, struct span, const char *place);

/* Adds a plain token, or a digest of one, to a list that was begun: it may do everything. */
void draft_add_token(
    struct draft *, const struct setting *, struct span, size_t index, const char *place);

/* Adds an entry, which is taken over, to a list of tokens; `key` is what reports call it. */
void draft_add_token_take(
    struct draft *, struct conf_tokens *, struct conf_token *, const char *key, const char *place);

/*
 * Reports that the setting must be what the table says, not what is `shown`: text fit for a report.
 */
void draft_refuse(struct draft *, const struct setting *, struct span shown, const char *place);

/* The same about text, which is shown in quotes, with the choice that may have been meant. */
void draft_refuse_text(struct draft *, const struct setting *, struct span, const char *place);

/* The same about one item of a list. */
void draft_refuse_item(
    struct draft *, const struct setting *, struct span shown, size_t index, const char *place);

/* Whether this layer has given the setting a value, good or bad. */
bool draft_is_set_here(const struct draft *, const struct setting *);

/* The topmost layer that has given the setting a value; 0: none. */
unsigned draft_layer_of(const struct draft *, const struct setting *);

/* Whether some layer's value was refused. */
bool draft_is_bad(const struct draft *, const struct setting *);
