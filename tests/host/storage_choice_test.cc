#include "host/storage_choice.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace usbtwin;        // NOLINT
using namespace usbtwin::host;  // NOLINT

namespace {

const usb::EndpointConfig kIn{.address = usb::EndpointAddress::In(1), .packet_size_max = 512};
const usb::EndpointConfig kOut{.address = usb::EndpointAddress::Out(2), .packet_size_max = 512};
const usb::EndpointConfig kInterrupt{.address = usb::EndpointAddress::In(3),
                                     .type = usb::TransferType::kInterrupt,
                                     .packet_size_max = 8};

usb::Alternate Alternate(uint8_t interface_class, uint8_t subclass, uint8_t protocol,
                         uint8_t setting = 0) {
  // An interrupt pipe in front: pipes are found by what they are.
  return {.setting = setting,
          .interface_class = interface_class,
          .interface_subclass = subclass,
          .interface_protocol = protocol,
          .endpoints = {kInterrupt, kIn, kOut}};
}

usb::Interface Interface(uint8_t number, std::vector<usb::Alternate> alternates) {
  return {.number = number, .alternates = std::move(alternates)};
}

struct Bench {
  void Add(uint8_t value, std::vector<usb::Interface> interfaces) {
    ConfigurationDescription configuration;
    configuration.tree.value = value;
    configuration.tree.interfaces = std::move(interfaces);
    description.configurations.push_back(std::move(configuration));
  }
  Result<StorageChoice> Choose(StorageOptions options = {}) const {
    return ChooseStorage(description, options, caps);
  }
  Error Refusal(StorageOptions options = {}) const { return Choose(options).error(); }
  DeviceDescription description{.active_value = uint8_t{1}};
  usb::LinkCaps caps;
};

usb::EndpointConfig Pipe(usb::EndpointAddress address, wire::usb::PipeId usage) {
  return {.address = address, .packet_size_max = 512, .pipe_usage = static_cast<uint8_t>(usage)};
}

// Its pipes in an order and with numbers that tell nothing.
usb::Alternate Uas(uint8_t setting, uint8_t interface_class = 8) {
  using wire::usb::PipeId;
  usb::Alternate uas = Alternate(interface_class, 6, 0x62, setting);
  uas.endpoints = {Pipe(usb::EndpointAddress::In(7), PipeId::kDataIn),
                   Pipe(usb::EndpointAddress::Out(5), PipeId::kDataOut),
                   Pipe(usb::EndpointAddress::In(3), PipeId::kStatus),
                   Pipe(usb::EndpointAddress::Out(9), PipeId::kCommand)};
  return uas;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(storage_choice, Bench)

BOOST_AUTO_TEST_CASE(mass_storage_is_found_behind_other_interfaces) {
  Add(1, {Interface(0, {Alternate(3, 1, 1)}), Interface(4, {Alternate(8, 6, 0x50)})});

  const StorageChoice choice = Choose().value();

  const StorageChoice expected{.configuration_value = 1,
                               .interface_number = 4,
                               .alternate_setting = 0,
                               .interface_class = 8,
                               .interface_subclass = 6,
                               .interface_protocol = 0x50,
                               .has_alternates = false,
                               .bulk_in = kIn,
                               .bulk_out = kOut};
  BOOST_TEST((choice == expected));
}

BOOST_AUTO_TEST_CASE(a_vendor_specific_interface_that_speaks_bulk_only_wins) {
  Add(1, {Interface(0, {Alternate(8, 6, 0x50)}), Interface(1, {Alternate(0xff, 6, 0x50)}),
          Interface(2, {Alternate(0xff, 6, 0x50)})});

  BOOST_TEST(Choose().value().interface_number == 1);
}

BOOST_AUTO_TEST_CASE(a_named_interface_overrides_the_preference) {
  Add(1, {Interface(0, {Alternate(8, 6, 0x50)}), Interface(1, {Alternate(0xff, 6, 0x50)})});

  BOOST_TEST(Choose({.interface_number = 0}).value().interface_number == 0);
}

BOOST_AUTO_TEST_CASE(a_named_interface_may_have_another_subclass) {
  Add(1, {Interface(0, {Alternate(8, 6, 0x50)}), Interface(1, {Alternate(8, 5, 0x50)})});

  BOOST_TEST(Choose({.interface_number = 1}).value().interface_subclass == 5);
}

BOOST_AUTO_TEST_CASE(another_subclass_is_not_taken_unasked) {
  Add(1, {Interface(1, {Alternate(8, 5, 0x50)})});

  BOOST_TEST((Refusal().kind == ErrorKind::kNotFound));
}

BOOST_AUTO_TEST_CASE(bulk_only_is_found_beside_uas) {
  Add(1, {Interface(0, {Alternate(8, 6, 0x62, 0), Alternate(8, 6, 0x50, 1)})});

  const StorageChoice choice = Choose().value();

  BOOST_TEST(choice.alternate_setting == 1);
  BOOST_TEST(choice.has_alternates);
}

BOOST_AUTO_TEST_CASE(uas_is_preferred_and_its_pipes_are_found_by_their_usage) {
  Add(1, {Interface(0, {Alternate(8, 6, 0x50, 0), Uas(1)})});

  const StorageChoice choice = Choose().value();

  BOOST_TEST(choice.alternate_setting == 1);
  BOOST_TEST(choice.is_uas());
  BOOST_TEST(choice.command.address.value == 0x09);
  BOOST_TEST(choice.status.address.value == 0x83);
  BOOST_TEST(choice.bulk_in.address.value == 0x87);
  BOOST_TEST(choice.bulk_out.address.value == 0x05);
  BOOST_TEST(!Choose({.protocol = StorageProtocol::kBulkOnly}).value().is_uas());
}

BOOST_AUTO_TEST_CASE(the_class_counts_more_than_the_transport) {
  Add(1, {Interface(0, {Uas(0)}), Interface(1, {Alternate(0xff, 6, 0x50)})});

  BOOST_TEST(Choose().value().interface_number == 1);
}

BOOST_AUTO_TEST_CASE(uas_without_its_four_pipes_is_not_taken) {
  Add(1, {Interface(2, {Alternate(8, 6, 0x62)})});
  BOOST_TEST(Refusal().Describe() ==
             "not found in open: interface 2 speaks USB Attached SCSI, but its 3 endpoints are not "
             "the four pipes that are needed");

  for (size_t pipe = 0; pipe < 4; ++pipe) {
    description.configurations.clear();
    usb::Alternate turned = Uas(0);
    turned.endpoints[pipe].address.value ^= 0x80;
    Add(1, {Interface(0, {turned})});
    BOOST_TEST((Refusal().kind == ErrorKind::kNotFound));
  }
}

BOOST_AUTO_TEST_CASE(at_super_speed_uas_needs_a_link_with_streams) {
  Add(1, {Interface(0, {Alternate(8, 6, 0x50, 0), Uas(1)})});
  caps.speed = usb::Speed::kSuper;

  BOOST_TEST(!Choose().value().is_uas());
  BOOST_TEST((Refusal({.protocol = StorageProtocol::kUas}).kind == ErrorKind::kUnsupported));
  caps.streams_max = 4;
  BOOST_TEST(Choose().value().is_uas());
}

BOOST_AUTO_TEST_CASE(uas_alone_is_no_bulk_only) {
  Add(1, {Interface(2, {Uas(0)})});

  BOOST_TEST((Refusal({.protocol = StorageProtocol::kBulkOnly}).kind == ErrorKind::kUnsupported));
}

BOOST_AUTO_TEST_CASE(uas_asked_for_is_not_found_where_there_is_bulk_only_alone) {
  Add(1, {Interface(0, {Alternate(8, 6, 0x50)})});

  BOOST_TEST(Refusal({.protocol = StorageProtocol::kUas}).Describe() ==
             "not found in open: none of the 1 interfaces of configuration 1 speaks USB Attached "
             "SCSI");
}

BOOST_AUTO_TEST_CASE(an_interface_that_is_not_there_is_named) {
  Add(1, {Interface(0, {Alternate(8, 6, 0x50)})});

  BOOST_TEST(Refusal({.interface_number = 7}).Describe() ==
             "not found in open: configuration 1 has no interface 7");
}

BOOST_AUTO_TEST_CASE(a_storage_interface_without_its_pipes_is_not_taken) {
  usb::Alternate no_out = Alternate(8, 6, 0x50);
  no_out.endpoints = {kIn, kInterrupt};
  Add(1, {Interface(0, {no_out})});

  BOOST_TEST(Refusal().Describe() ==
             "not found in open: the mass-storage interface of configuration 1 lacks a bulk-in or "
             "a bulk-out pipe: it has 2 endpoints");
}

BOOST_AUTO_TEST_CASE(the_active_configuration_is_not_left) {
  Add(1, {Interface(0, {Alternate(3, 1, 1)})});
  Add(2, {Interface(0, {Alternate(8, 6, 0x50)})});

  BOOST_TEST((Refusal().kind == ErrorKind::kNotFound));
  BOOST_TEST(Choose({.configuration_value = 2}).value().configuration_value == 2);
}

BOOST_AUTO_TEST_CASE(an_unconfigured_device_gets_the_first_configuration_with_storage) {
  description.active_value = 0;
  Add(1, {Interface(0, {Alternate(3, 1, 1)})});
  Add(2, {Interface(0, {Alternate(8, 6, 0x50)})});
  Add(3, {Interface(0, {Alternate(8, 6, 0x50)})});

  BOOST_TEST(Choose().value().configuration_value == 2);
}

BOOST_AUTO_TEST_CASE(a_device_that_does_not_tell_is_taken_as_unconfigured) {
  description.active_value.reset();
  Add(3, {Interface(0, {Alternate(8, 6, 0x50)})});

  BOOST_TEST(Choose().value().configuration_value == 3);
}

BOOST_AUTO_TEST_CASE(a_configuration_without_a_value_cannot_be_set) {
  description.active_value = 0;
  Add(0, {Interface(0, {Alternate(8, 6, 0x50)})});

  BOOST_TEST((Refusal().kind == ErrorKind::kNotFound));
}

BOOST_AUTO_TEST_CASE(an_active_configuration_without_descriptor_is_an_error) {
  description.active_value = 9;
  Add(1, {Interface(0, {Alternate(8, 6, 0x50)})});

  BOOST_TEST(Refusal().Describe() ==
             "not found in open: no descriptor of configuration 9 could be read");
}

BOOST_AUTO_TEST_SUITE_END()
