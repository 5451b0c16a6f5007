#pragma once
// All records in one file, so that ADD and DEL need not open each of them. Only a hint: host-local
// does not know of it and changes the store beside it. A log behind the records that there were
// when it was written anew:
//
//   sluice-index 38              <- bytes of those
//   +10.244.1.7 <container id> <interface name>
//   +10.244.1.8 <container id> <interface name>
//   -10.244.1.7
//   =1795254859.123456789
//
// The last line is the stamp. Who changes the store writes the log, and then sets the folder's
// mtime to the stamp, a time that has passed. Whoever makes or removes a file afterwards (the
// kernel sets the mtime to the present then) so makes the index invalid, and so does death at any
// point before the end. Pure; ipam/store.cpp reads and writes the file.

#include "ipam/record.hpp"

#include <ctime>
#include <optional>
#include <vector>

namespace sluice::ipam {

/// Neither an address nor the content of a record: host-local passes it over.
inline constexpr const char *kIndexName = ".sluice-index";

/// True if the text is an index that ends in this stamp.
bool is_stamped(std::string_view text, const timespec &stamp);

/// The addresses of an attachment in a stamped text. Nothing else of the text is looked at: it
/// costs 20 us for 1000 records.
std::vector<IpAddress> find_indexed(std::string_view text, const cni::Attachment &attachment);

/// True if the text is so long that it should be written anew.
bool is_worn(std::string_view text);

/// Every record, in no order; nullopt if a line does not make sense.
std::optional<std::vector<Record>> parse_index(std::string_view text);

/// Without the stamp. nullopt if a record cannot be told: an interrupted or a very old one, or one
/// with blanks in it.
std::optional<std::string> index_text(const std::vector<Record> &records);

std::string added_line(const Record &record);
std::string removed_line(const IpAddress &ip);
std::string stamp_line(const timespec &stamp);

} // namespace sluice::ipam
