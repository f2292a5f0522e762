#include "os/linux/mount_table.h"

#include <boost/test/unit_test.hpp>

using usbtwin::os::MountTable;

namespace {

constexpr const char* kMounts =
    "18 1 0:17 / / ro,relatime - hostfs /dev/root ro,/\n"
    "36 35 8:1 / /mnt/a\\040b rw,noatime master:1 shared:7 - ext4 /dev/sda1 rw\n"
    "37 35 0:44 /sub /mnt/c rw - btrfs /dev/sdb rw,subvol=/sub\n"
    "38 35 8:1 /x /mnt/d\\134e rw - ext4 /dev/disk/by-id/x rw\n"
    "39 broken";
constexpr const char* kSwaps =
    "Filename\t\t\tType\t\tSize\tUsed\tPriority\n"
    "/dev/sda2                               partition\t100\t0\t-2\n";

}  // namespace

BOOST_AUTO_TEST_SUITE(mount_table)

BOOST_AUTO_TEST_CASE(mounts_are_known_by_number) {
  const std::vector<std::string> expected{"/mnt/a b", "/mnt/d\\e"};
  const auto places =
      MountTable::Parse(kMounts, kSwaps).PlacesOf({.name = "sda1", .number = "8:1"});
  BOOST_TEST(places == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(mounts_with_a_number_of_their_own_are_known_by_their_source) {
  const std::vector<std::string> expected{"/mnt/c"};
  const auto places =
      MountTable::Parse(kMounts, kSwaps).PlacesOf({.name = "sdb", .number = "8:16"});
  BOOST_TEST(places == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_block_without_a_number_is_no_mount_without_one) {
  BOOST_TEST(MountTable::Parse(kMounts, kSwaps).PlacesOf({.name = "x", .number = ""}).empty());
}

BOOST_AUTO_TEST_CASE(swap_space_is_known) {
  const MountTable table = MountTable::Parse(kMounts, kSwaps);
  BOOST_TEST(table.IsSwap("sda2"));
  BOOST_TEST(!table.IsSwap("sda1"));
  BOOST_TEST(!MountTable::Parse("", "").IsSwap("Filename"));
}

BOOST_AUTO_TEST_SUITE_END()
