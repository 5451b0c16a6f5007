// libstdc++ ends a program whose exception nobody catches by printing the type's name, and brings a
// demangler for it: 48 KB of a static program. This definition is found first, and abort(3) is all.

#include <cstdlib>

namespace __gnu_cxx {
void __verbose_terminate_handler();
void __verbose_terminate_handler() { std::abort(); }
} // namespace __gnu_cxx
