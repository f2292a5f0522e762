#include "tools/exit_status.h"

#include <boost/test/unit_test.hpp>

#ifdef USBTWIN_HAS_SGUTILS
#include <scsi/sg_lib.h>
#endif

using namespace usbtwin;
using tools::ExitTable;

namespace {

app::CdbResult Status(uint8_t status) {
  app::CdbResult result;
  result.scsi_status = status;
  return result;
}

app::CdbResult SenseOf(uint8_t key, uint8_t asc, uint8_t ascq) {
  app::CdbResult result = Status(0x02);
  result.sense_bytes = {0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0};
  result.sense = app::SenseInfo{.key = key, .asc = asc, .ascq = ascq};
  return result;
}

app::CdbResult Broken(app::TransportErrorKind kind) {
  app::CdbResult result;
  result.outcome = app::CdbOutcome::kTransport;
  result.error.kind = kind;
  return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(exit_status)

BOOST_AUTO_TEST_CASE(the_plain_table_has_the_documented_numbers) {
  const auto plain = [](const app::CdbResult& result) {
    return tools::ExitStatus(ExitTable::kPlain, result);
  };
  BOOST_TEST(plain(Status(0x00)) == 0);
  BOOST_TEST(plain(Status(0x04)) == 0);  // CONDITION MET
  BOOST_TEST(plain(SenseOf(5, 0x21, 0)) == 2);
  BOOST_TEST(plain(Status(0x08)) == 2);  // BUSY
  BOOST_TEST(plain(Broken(app::TransportErrorKind::kTimedOut)) == 3);
  BOOST_TEST(tools::ExitStatus(ExitTable::kPlain, app::Failure::Kind::kCannotOpen) == 3);
  BOOST_TEST(tools::ExitStatus(ExitTable::kPlain, app::Failure::Kind::kTransport) == 3);
  BOOST_TEST(tools::ExitStatus(ExitTable::kPlain, app::Failure::Kind::kUsage) == 4);
  BOOST_TEST(tools::ExitStatus(ExitTable::kPlain, app::Failure::Kind::kFile) == 5);
  BOOST_TEST(tools::ContradictionExitStatus(ExitTable::kPlain) == 4);
}

BOOST_AUTO_TEST_CASE(the_sg3_table_has_sg3_utils_numbers) {
  const auto sg3 = [](const app::CdbResult& result) {
    return tools::ExitStatus(ExitTable::kSg3, result);
  };
  BOOST_TEST(sg3(Status(0x00)) == 0);
  BOOST_TEST(sg3(SenseOf(2, 0x3a, 0)) == 2);
  BOOST_TEST(sg3(SenseOf(2, 0x04, 0x0b)) == 12);
  BOOST_TEST(sg3(SenseOf(2, 0x04, 0x0c)) == 13);
  BOOST_TEST(sg3(SenseOf(2, 0x04, 0x04)) == 16);
  BOOST_TEST(sg3(SenseOf(2, 0x04, 0x25)) == 16);
  BOOST_TEST(sg3(SenseOf(2, 0x04, 0x01)) == 2);
  BOOST_TEST(sg3(SenseOf(3, 0x11, 0)) == 3);
  BOOST_TEST(sg3(SenseOf(8, 0, 0)) == 3);
  BOOST_TEST(sg3(SenseOf(5, 0x24, 0)) == 5);
  BOOST_TEST(sg3(SenseOf(5, 0x20, 0)) == 9);
  BOOST_TEST(sg3(SenseOf(5, 0x21, 0)) == 22);
  BOOST_TEST(sg3(SenseOf(5, 0x26, 0)) == 19);
  BOOST_TEST(sg3(SenseOf(6, 0x28, 0)) == 6);
  BOOST_TEST(sg3(SenseOf(7, 0x27, 0)) == 7);
  BOOST_TEST(sg3(SenseOf(0xb, 0x10, 1)) == 40);
  BOOST_TEST(sg3(SenseOf(0xb, 0, 0)) == 11);
  BOOST_TEST(sg3(SenseOf(0xe, 0x1d, 0)) == 14);
  BOOST_TEST(sg3(SenseOf(0, 0, 0)) == 20);
  BOOST_TEST(sg3(SenseOf(1, 0x17, 0)) == 21);
  BOOST_TEST(sg3(SenseOf(9, 0x80, 0)) == 98);
  BOOST_TEST(sg3(Status(0x02)) == 20);  // no sense came
  BOOST_TEST(sg3(Status(0x04)) == 25);
  BOOST_TEST(sg3(Status(0x08)) == 26);
  BOOST_TEST(sg3(Status(0x18)) == 24);
  BOOST_TEST(sg3(Status(0x28)) == 27);
  BOOST_TEST(sg3(Status(0x30)) == 28);
  BOOST_TEST(sg3(Status(0x40)) == 29);
  BOOST_TEST(sg3(Status(0x55)) == 99);
  BOOST_TEST(sg3(Broken(app::TransportErrorKind::kTimedOut)) == 33);
  BOOST_TEST(sg3(Broken(app::TransportErrorKind::kStalled)) == 35);
  BOOST_TEST(tools::ExitStatus(ExitTable::kSg3, app::Failure::Kind::kUsage) == 1);
  BOOST_TEST(tools::ExitStatus(ExitTable::kSg3, app::Failure::Kind::kCannotOpen) == 15);
  BOOST_TEST(tools::ExitStatus(ExitTable::kSg3, app::Failure::Kind::kFile) == 15);
  BOOST_TEST(tools::ContradictionExitStatus(ExitTable::kSg3) == 31);
}

#ifdef USBTWIN_HAS_SGUTILS
// The library's own classification, over every code. Later releases than 1.46 tell more long
// operations (2/04) and invalid parameters (5/26/00) apart; those are compared above.
BOOST_AUTO_TEST_CASE(the_sg3_table_agrees_with_libsgutils2) {
  size_t compared_count = 0;
  for (int key = 0; key < 16; ++key) {
    for (int asc = 0; asc < 256; ++asc) {
      for (int ascq = 0; ascq < 256; ++ascq) {
        const app::CdbResult result = SenseOf(static_cast<uint8_t>(key), static_cast<uint8_t>(asc),
                                              static_cast<uint8_t>(ascq));
        const int ours = tools::ExitStatus(ExitTable::kSg3, result);
        const int theirs = sg_err_category_sense(result.sense_bytes.data(), 18);
        if (key == 2 && asc == 0x04) continue;
        if (key == 5 && asc == 0x26 && ascq == 0) continue;
        if (ours != theirs) {
          BOOST_TEST_CONTEXT(key << "/" << asc << "/" << ascq) {
            BOOST_TEST(ours == theirs);
          }
        }
        ++compared_count;
      }
    }
  }
  BOOST_TEST(compared_count == 16u * 65536 - 256 - 1);
}
#endif

BOOST_AUTO_TEST_SUITE_END()
