#include "link/bot_watch.h"

#include <boost/test/unit_test.hpp>

using namespace usbtwin;        // NOLINT
using namespace usbtwin::link;  // NOLINT
using fault::Moment;
using usb::Outcome;

namespace {

constexpr auto kRequestSense =
    "55534243 01000000 60000000 80 00 06"    // CBW, tag 1, 96 bytes in
    "03000000600000000000000000000000"_hex;  // REQUEST SENSE

void AskIn(usb::Transfer& transfer, uint32_t length) {
  transfer.endpoint = usb::EndpointAddress{0x81};
  transfer.in_length_max = length;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bot_watch)

// Linux asks for sense so. The status behind it was taken for data, and faults that the host had
// noticed counted as unnoticed.
BOOST_AUTO_TEST_CASE(the_status_follows_data_whose_short_end_is_a_fault) {
  BotWatch watch;
  usb::Transfer command;
  command.endpoint = usb::EndpointAddress{0x01};
  command.out = kRequestSense;
  BOOST_TEST((watch.HandleSubmit(command) == Moment::kCommand));
  command.outcome = Outcome::kOk;
  watch.HandleDone(command, Moment::kCommand);
  usb::Transfer data;
  AskIn(data, 96);
  data.flags.short_not_ok = true;
  BOOST_TEST((watch.HandleSubmit(data) == Moment::kDataIn));
  data.outcome = Outcome::kFault;
  data.length_actual = 18;
  watch.HandleDone(data, Moment::kDataIn);

  usb::Transfer status;
  AskIn(status, 13);

  BOOST_TEST((watch.HandleSubmit(status) == Moment::kStatus));
}

BOOST_AUTO_TEST_CASE(any_other_fault_ends_the_command) {
  BotWatch watch;
  usb::Transfer command;
  command.endpoint = usb::EndpointAddress{0x01};
  command.out = kRequestSense;
  BOOST_TEST((watch.HandleSubmit(command) == Moment::kCommand));
  command.outcome = Outcome::kOk;
  watch.HandleDone(command, Moment::kCommand);
  usb::Transfer data;
  AskIn(data, 96);
  BOOST_TEST((watch.HandleSubmit(data) == Moment::kDataIn));
  data.outcome = Outcome::kFault;
  data.length_actual = 18;
  watch.HandleDone(data, Moment::kDataIn);

  usb::Transfer more;
  AskIn(more, 13);

  BOOST_TEST((watch.HandleSubmit(more) == Moment::kDataIn));
}

BOOST_AUTO_TEST_SUITE_END()
