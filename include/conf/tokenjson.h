/*
 * A token as an object of a configuration file:
 *
 *	{"name": "ci", "token": "..." | "sha256": "...", "scopes": ["write"],
 *	 "events": ["agent.*"], "expires": "2027-01-31"}
 */
#pragma once

#include <jansson.h>

#include "base/macros.h"
#include "conf/data.h"

/*
 * Fills a zeroed entry. 0; -EINVAL and in ret_fault what it must be; -ENOMEM. The entry is to be ended
 * by token_fini in any case, if nobody takes it over.
 */
int tokenjson_read(const json_t *object, struct conf_token *, const char **ret_fault) must_check;
