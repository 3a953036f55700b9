/*
 * What a reload changes: a configuration that was loaded anew is settled against the one in force.
 * What cannot change while the gateway runs keeps the value that it has.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/macros.h"
#include "conf/data.h"
#include "conf/settings.h"

/* Keys with a space between them. Zero-initialised is valid and empty. */
struct conf_changes {
	struct buf changed; /* they have another value from now on */
	struct buf waiting; /* they would have another one after a restart */
};

/*
 * Whether there is room for the value that the setting has in `next`, which is another than the one
 * in force; asked for settings that a reload changes.
 */
typedef bool (*conf_has_room_fn)(const struct conf *next, const struct setting *, void *arg);

/*
 * Puts into `next` what is in force for each setting that needs a restart or for which there is no
 * room, its source included, and tells what changes. Returns 0; -ENOMEM: then `next` is of no use.
 * The changes are to be freed by conf_changes_fini in every case.
 */
int conf_settle(struct conf *next, const struct conf *in_force, conf_has_room_fn has_room,
    void *arg, struct conf_changes *ret) must_check;

/* Frees the keys. */
void conf_changes_fini(struct conf_changes *);
