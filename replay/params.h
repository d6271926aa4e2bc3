/* SPDX-License-Identifier: GPL-2.0-only */
/* Profile switches set by hand: what -p names, how result files and plans write it. */
#ifndef REPLAY_PARAMS_H
#define REPLAY_PARAMS_H

#include <kmlab/err.h>
#include <kmlab/profile.h>

#define KM_MAX_PARAMS 64

struct km_param {
	char name[48]; /* a profile switch (kmlab/profile.h) */
	uint64_t value;
};

struct km_params { /* in order of their names, none twice */
	struct km_param list[KM_MAX_PARAMS];
	unsigned nr;
};

/* Room for the texts of the most parameters. */
#define KM_PARAMS_TEXT (KM_MAX_PARAMS * 80 + 8)

/* "KEY=VALUE". 0, or -EINVAL with a sentence: no such switch, or not one of its values. */
int km_param_parse(const char *text, struct km_param *param, struct km_err *err);
/* One more, or another value. 0, or -E2BIG with a sentence. */
int km_params_set(struct km_params *params, const struct km_param *param, struct km_err *err);

void km_params_apply(const struct km_params *params, struct km_profile *profile);
/* {"fallback":0,"reclaim":"30%"}, as result files have it; returns text. */
const char *km_params_json(const struct km_params *params, char text[KM_PARAMS_TEXT]);
/* fallback=0,reclaim=30%, or "-" for none; returns text. */
const char *km_params_text(const struct km_params *params, char text[KM_PARAMS_TEXT]);
/* The other way round; the order does not matter, a name given twice does. -EINVAL, a sentence. */
int km_params_parse(const char *text, struct km_params *params, struct km_err *err);

#endif
