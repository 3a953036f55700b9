/*
 * The configuration that a verb works with: as `gateway start` would see it with the same options.
 */
#pragma once

#include "base/macros.h"
#include "cli/status.h"
#include "conf/conf.h"

struct invocation;

/* What conf_load is to be asked, by --config and the flags of settings; valid as long as these. */
struct conf_request setup_request(const struct invocation *);

/*
 * Loads the configuration. CLI_OK: ret is to be freed by conf_free. CLI_USAGE: every error was
 * printed on standard error. CLI_FAILED: so was that there is no memory.
 */
enum cli_status setup_load(const struct invocation *, struct conf **ret) must_check;

/*
 * LurkBot's home, without loading anything; to be freed by mem_free. CLI_OK; CLI_USAGE or
 * CLI_FAILED, and the reason was printed.
 */
enum cli_status setup_home(char **ret_home) must_check;
