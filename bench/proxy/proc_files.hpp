#pragma once
// Numbers out of files of /proc.

#include <string>

namespace sluice::bench {

/// "" if there is none, or no longer.
std::string read_file(const std::string &path);
/// Of a line "<field>:   1234 kB" in `text`; 0 if there is none.
double megabytes(const std::string &text, const std::string &field);

/// What the kernel holds for itself: slabs that cannot be given back, vmalloc areas, per-CPU
/// memory. Of the whole machine; the difference of two readings tells of what came between.
double kernel_megabytes();
/// The same, once it has stayed still for a second: what was left behind is given back later. At
/// most half a minute.
double settled_kernel_megabytes();

} // namespace sluice::bench
