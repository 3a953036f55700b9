/* Whom the children become, and to whom folders belong, when the gateway is started as root. */
#pragma once

#include "base/buf.h"
#include "base/macros.h"

struct conf;
struct identity;

/*
 * As whom the children run: by the configuration for root, else as whom we run ourselves.
 * Returns 0, or -errno with a line for people appended to REASON.
 */
int ownership_decide(const struct conf *conf, struct identity *ret, struct buf *reason) must_check;

/*
 * Makes a folder below the home, and gives it to the identity where we are root.
 * Returns as ownership_decide does.
 */
int ownership_make_folder(const struct conf *conf, const struct identity *identity,
    const char *name, struct buf *reason) must_check;

/* Says in the log what the children may, and what is unwise about it. */
void ownership_log(const struct conf *conf, const struct identity *identity);
