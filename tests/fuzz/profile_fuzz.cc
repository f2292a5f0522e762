// Profiles in TOML. Whatever is refused is refused with the file's name and one printable line;
// whatever is accepted keeps what emulator/profile.h promises to those who build a twin of it.
#include "app/config.h"
#include "base/check.h"
#include "base/text.h"
#include "emulator/memory_store.h"
#include "usb/string_descriptor.h"

namespace {

using namespace usbtwin;  // NOLINT
using emulator::Profile;

constexpr char kPath[] = "stick.toml";
constexpr size_t kFailureLengthMax = 2000;

void CheckFailure(const app::Failure& failure) {
  CHECK(failure.text.starts_with(kPath));
  CHECK_LE(failure.text.size(), kFailureLengthMax);
  CHECK(Printable(failure.text) == failure.text);
}

void CheckString(const std::string& text) {
  CHECK(usb::MakeStringDescriptor(text).has_value());
}

void CheckUnits(const app::ProfileFile& file) {
  const auto& units = file.profile.units;
  CHECK_LE(1u, units.size());
  CHECK_LE(units.size(), Profile::kUnitsMax);
  CHECK_EQ(file.image_places.size(), units.size());
  for (size_t index = 0; index < units.size(); ++index) {
    const emulator::UnitProfile& unit = units[index];
    CHECK(unit.disk.block_size == 512 || unit.disk.block_size == 4096);
    CHECK(unit.disk.vendor.size() <= 8 && unit.disk.product.size() <= 16);
    CHECK(unit.disk.revision.size() <= 4 && unit.disk.serial.size() <= 64);
    CHECK_EQ(file.image_places[index].empty(), unit.image_path.empty());
    if (!unit.image_path.empty()) continue;
    CHECK_LE(1u, unit.size);
    CHECK_EQ(unit.size % unit.disk.block_size, 0u);
    CHECK_LE(unit.size, emulator::MemoryStore::kSizeMax);
  }
}

void CheckConfigurations(const Profile& profile) {
  CHECK(!profile.configurations.empty());
  size_t functions_count = 0;
  for (const auto& configuration : profile.configurations) {
    CHECK_NE(configuration.value, 0);
    CheckString(configuration.name);
    CHECK(!configuration.functions.empty());
    for (const auto& function : configuration.functions) {
      ++functions_count;
      CHECK(function.interface_class == 0x08 || function.interface_class == 0xff);
      CheckString(function.name);
      CHECK_LE(1u, function.units.size());
      CHECK_LE(function.units.size(), Profile::kUnitsMax);
      for (const size_t unit : function.units) CHECK_LT(unit, profile.units.size());
    }
  }
  CHECK_LE(functions_count, Profile::kFunctionsMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(data, data + size);
  const auto parsed = app::ParseProfileFile(text, kPath);
  if (!parsed) {
    CheckFailure(parsed.error());
    return 0;
  }
  CHECK(parsed->profile.speed != usb::Speed::kLow);
  CheckString(parsed->profile.device.manufacturer);
  CheckString(parsed->profile.device.product);
  CheckString(parsed->profile.device.serial);
  CheckUnits(*parsed);
  CheckConfigurations(parsed->profile);
  return 0;
}
