/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_EXPORT_H
#define _LINUX_EXPORT_H

#define EXPORT_SYMBOL(name) struct kmlab_needs_a_semicolon
#define EXPORT_SYMBOL_GPL(name) struct kmlab_needs_a_semicolon

#endif
