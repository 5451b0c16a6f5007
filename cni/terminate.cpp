// What a static program brings along and this one has no use for.
//
// libstdc++ ends a program whose exception nobody catches by printing the type's name, and brings a
// demangler for it: 48 KB of a static program. This definition is found first, and abort(3) is all.

// glibc asks /proc for the program's folder at every start, 30 us, in case that it loads a library
// from "$ORIGIN". A static program loads none. -1: not known.

#include <cstdlib>

namespace __gnu_cxx {
void __verbose_terminate_handler();
void __verbose_terminate_handler() { std::abort(); }
} // namespace __gnu_cxx

extern "C" {
const char *_dl_get_origin();
const char *_dl_get_origin() { return reinterpret_cast<const char *>(-1); }
}
