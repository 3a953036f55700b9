/*
 * The verbs about tokens. None of them talks to a gateway, and none prints a secret that it was given.
 */
#pragma once

#include "cli/status.h"

struct invocation;

/* gateway token generate: prints a new token. */
enum cli_status token_generate(const struct invocation *);

/* gateway token hash: reads a token, and prints what may stand in its place in the configuration. */
enum cli_status token_hash(const struct invocation *);

/* gateway token list: prints which tokens the configuration has. */
enum cli_status token_list(const struct invocation *);

/* gateway token check: reads a token, and prints who would be let in by it. */
enum cli_status token_check(const struct invocation *);
