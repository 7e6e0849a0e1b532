# SPDX-License-Identifier: GPL-2.0
#
# What the compiler and the C library can do. Each config/test-NAME.c is built
# with the flags in its "// flags:" line; feature-NAME is y if that worked, n
# if not. Where the file has a "// define: HAVE_X" line, y also defines that for
# the whole build. Tried again only if the compiler or a test has changed, and
# said only if the result has.

features-file := $(or $(FEATURES_FILE),$(OUTPUT).features)
FEATURES := $(patsubst config/test-%.c,%,$(sort $(wildcard config/test-*.c)))

ifeq ($(filter clean help,$(MAKECMDGOALS)),)
include $(features-file)
endif

FEATURE_FLAGS := -D_GNU_SOURCE $(INCLUDES) -Werror
feature-compiler := $(CC) $(shell $(CC) --version | head -n 1)

$(features-file): config/features.mk $(wildcard config/test-*.c) \
		$(if $(filter-out $(feature-compiler-tried),$(feature-compiler)),FORCE)
	@mkdir -p $(@D); exec > $@.new; \
	echo 'feature-compiler-tried := $(feature-compiler)'; \
	for f in $(FEATURES); do \
		flags=$$(sed -n 's,^// flags: ,,p' config/test-$$f.c); \
		define=$$(sed -n 's,^// define: ,,p' config/test-$$f.c); \
		if $(CC) $(FEATURE_FLAGS) -o $@.try config/test-$$f.c $$flags 2>$@.log; \
		then echo "feature-$$f := y"; [ -z "$$define" ] || echo "feature-defines += -D$$define"; \
		else echo "feature-$$f := n"; fi; \
	done
	@if [ -z '$(silent)' ] && ! cmp -s $@.new $@; then \
		echo 'Features of $(CC):'; \
		sed -n 's/^feature-\(.*\) := y$$/\1 [ on ]/p; s/^feature-\(.*\) := n$$/\1 [ off ]/p' $@.new | \
		awk '{ printf "  %24s: %s %s %s\n", $$1, $$2, $$3, $$4 }'; \
	fi; mv $@.new $@; rm -f $@.try $@.log
