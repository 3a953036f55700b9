/*
 * lurkbot-bench: what one message, and one connection, costs the gateway. See lurkbot-bench(1) and the
 * README beside this file.
 */
#include "modes.h"

int
main(int argc, char **argv)
{
	struct options options = options_read(argc, argv);

	switch (options.mode) {
	case MODE_FANOUT:
		return fanout_run(&options);
	case MODE_RPC:
	case MODE_PROVIDER:
		return rpc_run(&options);
	case MODE_CONNECT:
		return connect_run(&options);
	}
	return 2;
}
