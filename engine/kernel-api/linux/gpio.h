/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pins by number (drivers/gpio/gpiolib-legacy.c; arrays of them up to 6.9). Nothing is connected:
 * an input keeps the last value set, and the interrupt of pin N is N + 100.
 */
#ifndef _LINUX_GPIO_H
#define _LINUX_GPIO_H

#include <linux/errno.h>
#include <linux/kernel.h>

#define GPIOF_IN 1
#define GPIOF_DIR_IN 1
#define GPIOF_DIR_OUT 0
#define GPIOF_OUT_INIT_LOW 0
#define GPIOF_OUT_INIT_HIGH 2
#define GPIOF_INIT_LOW 0
#define GPIOF_INIT_HIGH 2
#define KMLAB_PINS 1024
#define KMLAB_FIRST_PIN_IRQ 100

struct gpio {
	unsigned int gpio;
	unsigned long flags;
	const char *label;
};
__attribute__((weak)) signed char kmlab_pin_value[KMLAB_PINS], kmlab_pin_used[KMLAB_PINS];

#define gpio_is_valid(pin) ((unsigned int)(pin) < KMLAB_PINS)
static inline int kmlab_pin_request(const struct kmlab_site *site, unsigned int pin,
				    const char *label)
{
	if (!gpio_is_valid(pin))
		return -EINVAL;
	if (kmlab_pin_used[pin])
		return -EBUSY;
	kmlab_pin_used[pin] = 1;
	kmlab_api->hold(site, KMLAB_RES_GPIO, &kmlab_pin_used[pin], label);
	return 0;
}
static inline void kmlab_pin_free(const struct kmlab_site *site, unsigned int pin)
{
	if (gpio_is_valid(pin) && kmlab_api->give_back(site, KMLAB_RES_GPIO, &kmlab_pin_used[pin]))
		kmlab_pin_used[pin] = 0;
}
static inline int kmlab_pin_direction(unsigned int pin, int value)
{
	if (!gpio_is_valid(pin))
		return -EINVAL;
	if (value >= 0)
		kmlab_pin_value[pin] = value != 0;
	return 0;
}
#define gpio_request(pin, label) kmlab_pin_request(KMLAB_SITE("gpio_request"), pin, label)
#define gpio_free(pin) kmlab_pin_free(KMLAB_SITE("gpio_free"), pin)
#define gpio_direction_input(pin) kmlab_pin_direction(pin, -1)
#define gpio_direction_output(pin, value) kmlab_pin_direction(pin, value)
static inline int kmlab_pin_request_one(const struct kmlab_site *site, unsigned int pin,
					unsigned long flags, const char *label)
{
	int ret = kmlab_pin_request(site, pin, label);

	if (!ret)
		kmlab_pin_direction(pin, flags & GPIOF_IN ? -1 : (flags & 2) != 0);
	return ret;
}
#define gpio_request_one(pin, flags, label)                                                        \
	kmlab_pin_request_one(KMLAB_SITE("gpio_request_one"), pin, flags, label)
static inline int kmlab_pins_request(const struct kmlab_site *site, const struct gpio *pins,
				     size_t n)
{
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++) {
		ret = kmlab_pin_request_one(site, pins[i].gpio, pins[i].flags, pins[i].label);
		while (ret && i--)
			kmlab_pin_free(site, pins[i].gpio);
		if (ret)
			break;
	}
	return ret;
}
static inline void kmlab_pins_free(const struct kmlab_site *site, const struct gpio *pins, size_t n)
{
	while (n--)
		kmlab_pin_free(site, pins[n].gpio);
}
#define gpio_request_array(pins, n) kmlab_pins_request(KMLAB_SITE("gpio_request_array"), pins, n)
#define gpio_free_array(pins, n) kmlab_pins_free(KMLAB_SITE("gpio_free_array"), pins, n)
#define gpio_set_value(pin, value) ((void)kmlab_pin_direction(pin, (value) != 0))
#define gpio_get_value(pin) (gpio_is_valid(pin) ? kmlab_pin_value[pin] : -EINVAL)
#define gpio_set_value_cansleep(pin, value) (might_sleep(), gpio_set_value(pin, value))
#define gpio_get_value_cansleep(pin) (might_sleep(), gpio_get_value(pin))
#define gpio_to_irq(pin) (gpio_is_valid(pin) ? (int)(pin) + KMLAB_FIRST_PIN_IRQ : -EINVAL)
#define gpio_export(pin, may_change) ((void)(pin), (void)(may_change), 0)
#define gpio_unexport(pin) ((void)(pin))
#define gpio_set_debounce(pin, us) ((void)(pin), (void)(us), 0)

#endif
