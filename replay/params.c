/* SPDX-License-Identifier: GPL-2.0-only */
#include "replay/params.h"

#include <errno.h>
#include <string.h>

#include "results/options.h"

static int unknown(const char *name, int length, struct km_err *err)
{
	return km_fail(err, -EINVAL, "there is no parameter '%.*s'; 'kmlab models' lists them",
		       length, name);
}

int km_param_parse(const char *text, struct km_param *param, struct km_err *err)
{
	struct km_profile scratch = {0};
	const char *equals = strchr(text, '=');
	int code;

	if (!equals || equals == text)
		return km_fail(err, -EINVAL, "--param takes KEY=NUMBER, not '%.200s'", text);
	if ((size_t)(equals - text) >= sizeof(param->name))
		return unknown(text, equals - text > 200 ? 200 : (int)(equals - text), err);
	snprintf(param->name, sizeof(param->name), "%.*s", (int)(equals - text), text);
	if (km_profile_word(param->name, equals + 1, &param->value)) {
		if (!strcmp(param->name, "reclaim") && !strchr("0123456789", equals[1]))
			return km_fail(err, -EINVAL,
				       "parameter 'reclaim' takes none, oom or N%%, not '%.200s'",
				       equals + 1);
		if (!km_read_number(equals + 1, &param->value))
			return km_fail(err, -EINVAL, "parameter '%s' takes a number, not '%.200s'",
				       param->name, equals + 1);
	}
	code = km_profile_set(&scratch, param->name, param->value);
	if (code == -ERANGE)
		return km_fail(err, -EINVAL, "parameter '%s' takes 0 to %llu, not %llu",
			       param->name, (unsigned long long)km_profile_max(param->name),
			       (unsigned long long)param->value);
	return code ? unknown(param->name, (int)strlen(param->name), err) : 0;
}

int km_params_set(struct km_params *params, const struct km_param *param, struct km_err *err)
{
	unsigned at = 0;

	while (at < params->nr && strcmp(params->list[at].name, param->name) < 0)
		at++;
	if (at == params->nr || strcmp(params->list[at].name, param->name)) {
		if (params->nr == KM_MAX_PARAMS)
			return km_fail(err, -E2BIG, "at most %d parameters are set at once",
				       KM_MAX_PARAMS);
		memmove(&params->list[at + 1], &params->list[at],
			(params->nr++ - at) * sizeof(*param));
	}
	params->list[at] = *param;
	return 0;
}

void km_params_apply(const struct km_params *params, struct km_profile *profile)
{
	for (unsigned i = 0; i < params->nr; i++)
		km_profile_set(profile, params->list[i].name, params->list[i].value);
}

const char *km_params_json(const struct km_params *params, char text[KM_PARAMS_TEXT])
{
	size_t used = 0;
	char value[24];

	text[used++] = '{';
	for (unsigned i = 0; i < params->nr; i++)
		used += (size_t)sprintf(
			text + used, "%s\"%s\":%s", i ? "," : "", params->list[i].name,
			km_profile_text(params->list[i].name, params->list[i].value, value, true));
	strcpy(text + used, "}");
	return text;
}

const char *km_params_text(const struct km_params *params, char text[KM_PARAMS_TEXT])
{
	size_t used = 0;
	char value[24];

	strcpy(text, "-");
	for (unsigned i = 0; i < params->nr; i++)
		used += (size_t)sprintf(
			text + used, "%s%s=%s", i ? "," : "", params->list[i].name,
			km_profile_text(params->list[i].name, params->list[i].value, value, false));
	return text;
}

int km_params_parse(const char *text, struct km_params *params, struct km_err *err)
{
	params->nr = 0;
	if (!strcmp(text, "-"))
		return 0;
	while (true) {
		size_t length = strcspn(text, ",");
		struct km_param param;
		unsigned before = params->nr;
		char word[128];
		int code;

		if (length >= sizeof(word))
			return km_fail(err, -EINVAL, "'%.40s…' is no KEY=VALUE of a parameter",
				       text);
		memcpy(word, text, length);
		word[length] = '\0';
		code = km_param_parse(word, &param, err);
		if (!code)
			code = km_params_set(params, &param, err);
		if (code)
			return code;
		if (params->nr == before)
			return km_fail(err, -EINVAL, "parameter '%s' is given twice", param.name);
		if (!text[length])
			return 0;
		text += length + 1;
	}
}
