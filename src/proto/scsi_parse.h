// How command blocks are read: one row for each command, in two tables by standard. Used by
// scsi_command.cc, which looks rows up, and by nobody else.
#pragma once

#include "proto/scsi_command.h"

namespace usbtwin::scsi {

// The CDB is as long as its operation code demands.
using Parsed = Result<Meaning, Sense>;
using Parser = Parsed (*)(Bytes cdb);

struct CommandRow {
  // CDB USAGE DATA: the operation code, the service action where there is one, and a one in every
  // bit that the parser looks at. Its first bytes say which command the row is about.
  std::array<uint8_t, 16> usage{};
  bool has_service_action = false;
  Parser parser = nullptr;
};

template <size_t kLength>
constexpr CommandRow Row(const std::array<uint8_t, kLength>& usage, Parser parser) {
  static_assert(kLength <= 16);
  CommandRow row{.parser = parser};
  std::copy_n(usage.begin(), kLength, row.usage.begin());
  return row;
}
template <size_t kLength>
constexpr CommandRow ActionRow(const std::array<uint8_t, kLength>& usage, Parser parser) {
  CommandRow row = Row(usage, parser);
  row.has_service_action = true;
  return row;
}

std::span<const CommandRow> PrimaryRows();  // SPC-4
std::span<const CommandRow> BlockRows();    // SBC-3

template <class Layout>
const Layout& As(Bytes cdb) {
  return *wire::View<Layout>(cdb);
}

}  // namespace usbtwin::scsi
