/*
 * Which shell it is has to be said: what $SHELL names is the one that people log in with, not the one
 * that they type in.
 */
#include "cli/completion.h"

#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "cli/arguments.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/scripts.h"

static const struct {
	const char *name;
	void (*write)(const struct invocation *, struct buf *out);
} shells[] = {
	{ "bash", scripts_bash },
	{ "zsh", scripts_zsh },
	{ "fish", scripts_fish },
};

enum cli_status
completion_run(const struct invocation *invocation)
{
	const char *name = invocation->arguments->operand;
	struct buf text = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(name, shells[i].name) == 0) {
			shells[i].write(invocation, &text);
			return output_take(&text);
		}
	}
	output_error("%s: must be bash, zsh or fish", name);
	return CLI_USAGE;
}
