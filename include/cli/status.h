/*
 * What the program's exit status says, the same for every verb. Functions of this layer that do a
 * verb's work return it too.
 */
#pragma once

enum cli_status {
	CLI_OK = 0,
	CLI_FAILED = 1,	      /* it was tried and did not work */
	CLI_USAGE = 2,	      /* the command line or the configuration is wrong */
	CLI_UNREACHABLE = 3,  /* cannot connect, connection lost, or not running */
	CLI_UNAUTHORIZED = 4, /* authentication failed, or a scope is missing */
};
