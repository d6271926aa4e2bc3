/* SPDX-License-Identifier: GPL-2.0-only */
/* Parameters: `kmlab module FILE.c name=value` sets them before init. */
#ifndef _LINUX_MODULEPARAM_H
#define _LINUX_MODULEPARAM_H

#include <linux/kernel.h>
#include <linux/stat.h>
#include <linux/types.h>

#define KMLAB_PARAM(name_, variable, type_, room_, count_, size_)                                  \
	__attribute__((constructor)) static void kmlab_param_##name_(void)                         \
	{                                                                                          \
		static struct kmlab_param param = {.name = #name_,                                 \
						   .type = #type_,                                 \
						   .value = (void *)&variable,                     \
						   .room = room_,                                  \
						   .count = (unsigned int *)(count_),              \
						   .size = size_};                                 \
		param.next = kmlab_params;                                                         \
		kmlab_params = &param;                                                             \
	}                                                                                          \
	struct kmlab_needs_a_semicolon
/* Functions instead of a type: kernel_param_ops (kernel/params.c). */
struct kernel_param;
struct kernel_param_ops {
	unsigned int flags;
	int (*set)(const char *text, const struct kernel_param *param);
	int (*get)(char *text, const struct kernel_param *param);
	void (*free)(void *arg);
};
#define KERNEL_PARAM_OPS_FL_NOARG 1
struct kparam_string {
	unsigned int maxlen;
	char *string;
};
struct kernel_param {
	const char *name;
	struct module *mod;
	const struct kernel_param_ops *ops;
	u16 perm;
	union {
		void *arg;
		const struct kparam_string *str;
	};
};
struct kmlab_param_cb {
	struct kmlab_param param;
	struct kernel_param kernel;
};
static inline int kmlab_param_set(const struct kmlab_param *param, const char *text)
{
	const struct kernel_param *kernel = &((const struct kmlab_param_cb *)param)->kernel;

	return kernel->ops->set ? kernel->ops->set(text, kernel) : -EPERM;
}
#define module_param_cb(name_, ops_, arg_, mode)                                                   \
	__attribute__((constructor)) static void kmlab_param_##name_(void)                         \
	{                                                                                          \
		static struct kmlab_param_cb callback = {                                          \
			.param = {.name = #name_, .type = "callback", .set = kmlab_param_set},     \
			.kernel = {.name = #name_, .ops = ops_, .perm = mode, .arg = arg_}};       \
		callback.param.next = kmlab_params;                                                \
		kmlab_params = &callback.param;                                                    \
	}                                                                                          \
	struct kmlab_needs_a_semicolon
#define KMLAB_PARAM_OPS(name, type, format)                                                        \
	static inline int param_set_##name(const char *text, const struct kernel_param *param)     \
	{                                                                                          \
		return kmlab_api->param_value(text, #name, param->arg, sizeof(type));              \
	}                                                                                          \
	static inline int param_get_##name(char *text, const struct kernel_param *param)           \
	{                                                                                          \
		return scnprintf(text, 4096, format "\n", *(type *)param->arg);                    \
	}                                                                                          \
	static __attribute__((unused)) const struct kernel_param_ops param_ops_##name = {          \
		.set = param_set_##name, .get = param_get_##name}
KMLAB_PARAM_OPS(byte, unsigned char, "%hhu");
KMLAB_PARAM_OPS(short, short, "%hi");
KMLAB_PARAM_OPS(ushort, unsigned short, "%hu");
KMLAB_PARAM_OPS(int, int, "%i");
KMLAB_PARAM_OPS(uint, unsigned int, "%u");
KMLAB_PARAM_OPS(long, long, "%li");
KMLAB_PARAM_OPS(ulong, unsigned long, "%lu");
KMLAB_PARAM_OPS(ullong, unsigned long long, "%llu");
KMLAB_PARAM_OPS(charp, char *, "%s");
KMLAB_PARAM_OPS(bool, bool, "%d");

#define module_param_named(name, variable, type, mode)                                             \
	KMLAB_PARAM(name, variable, type, 1, NULL, sizeof(variable))
#define module_param(name, type, mode) module_param_named(name, name, type, mode)
#define module_param_array_named(name, array, type, count, mode)                                   \
	KMLAB_PARAM(name, array, type, sizeof(array) / sizeof((array)[0]), count,                  \
		    sizeof((array)[0]))
#define module_param_array(name, type, count, mode)                                                \
	module_param_array_named(name, name, type, count, mode)
#define module_param_unsafe module_param
#define module_param_named_unsafe module_param_named
#define module_param_hw(name, type, hardware, mode) module_param(name, type, mode)
#define module_param_string(name, variable, length, mode)                                          \
	KMLAB_PARAM(name, variable, string, 1, NULL, length)
#define MODULE_PARM_DESC(name, text) KMLAB_INFO(parm, #name ":" text)

#define KMLAB_INFO(tag, text) KMLAB_INFO_1(tag, text, __COUNTER__)
#define KMLAB_INFO_1(tag, text, number) KMLAB_INFO_2(tag, text, number)
#define KMLAB_INFO_2(tag_, text_, number)                                                          \
	__attribute__((constructor)) static void kmlab_info_##number(void)                         \
	{                                                                                          \
		static struct kmlab_modinfo info = {NULL, #tag_, text_};                           \
		info.next = kmlab_modinfo;                                                         \
		kmlab_modinfo = &info;                                                             \
	}                                                                                          \
	struct kmlab_needs_a_semicolon

#endif
