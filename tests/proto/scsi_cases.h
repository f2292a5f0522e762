// What the tests of command blocks share: commands in their three forms, and what is refused.
#pragma once

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "proto/scsi_command.h"

namespace usbtwin::tests {

inline std::vector<uint8_t> FromHex(const char* text) {
  return *ParseHex(text);
}

inline scsi::cdb::Range Blocks(uint64_t lba, uint32_t blocks_count) {
  return {.lba = lba, .blocks_count = blocks_count};
}

// A command in its three forms: bytes, what builds them, what they mean.
struct CommandCase {
  const char* name;
  const char* bytes;
  scsi::Cdb built;
  scsi::Meaning meaning;
  scsi::DataPhase data;  // with blocks of 512 bytes
};
inline std::ostream& operator<<(std::ostream& out, const CommandCase& sample) {
  return out << sample.name;
}

// A command block that must be refused, and how.
struct RefusedCase {
  const char* name;
  const char* bytes;
  const char* sense;  // fixed format
};
inline std::ostream& operator<<(std::ostream& out, const RefusedCase& sample) {
  return out << sample.name;
}

inline void CheckBuilt(const CommandCase& sample) {
  const std::vector<uint8_t> bytes(sample.built.view().begin(), sample.built.view().end());
  BOOST_TEST(bytes == FromHex(sample.bytes));
}

inline void CheckRead(const CommandCase& sample) {
  const auto meaning = scsi::ParseCdb(FromHex(sample.bytes));
  BOOST_REQUIRE(meaning.has_value());
  BOOST_TEST((*meaning == sample.meaning));
  BOOST_TEST((scsi::ExpectedData(*meaning, 512) == sample.data));
}

inline void CheckRefused(const RefusedCase& sample) {
  const auto meaning = scsi::ParseCdb(FromHex(sample.bytes));
  BOOST_REQUIRE(!meaning.has_value());
  std::vector<uint8_t> sense(scsi::kFixedSenseLength, 0xa5);
  scsi::EmitFixedSense(meaning.error(), sense);
  BOOST_TEST(sense == FromHex(sample.sense));
}

}  // namespace usbtwin::tests
