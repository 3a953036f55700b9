/*
 * Where LurkBot lives: its home folder, the user's, and absolute forms of paths, which must mean
 * the same after a daemon has changed its folder and in every verb that a user types elsewhere.
 */
#pragma once

#include "base/macros.h"
#include "base/span.h"

/* The value of the variable in an environment that ends with NULL; NULL: it is not set. */
const char *locate_variable(char *const *environ_, const char *name);

/*
 * The path made absolute: below the user's home if it begins with "~/" (or is "~"), else below the
 * current folder; without empty and "." parts and without a slash at its end. Links and ".." stay.
 * To be freed by mem_free. 0; -ENOENT: there is no home of the user; -ENOMEM; what getcwd(3) said.
 */
int locate_absolute(char *const *environ_, struct span path, char **ret_path) must_check;

/*
 * LurkBot's home: `home` unless NULL, else LURKBOT_HOME unless unset or empty, else ~/.lurkbot.
 * Results as locate_absolute.
 */
int locate_home(char *const *environ_, const char *home, char **ret_path) must_check;
