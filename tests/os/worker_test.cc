#include "os/linux/worker.h"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "tests/os/failing_calls.h"

using namespace usbtwin;      // NOLINT
using namespace usbtwin::os;  // NOLINT
using tests::failing_thread;

namespace {

struct Step final : Job {
  void Work() override {
    worked_on = std::this_thread::get_id();
    if (order != nullptr) order->push_back(value);
  }
  void HandleHome() override {
    home_on = std::this_thread::get_id();
    ++home;
    if (home < home_wanted) BOOST_TEST(worker->Submit(*this));
  }
  std::vector<int>* order = nullptr;  // the helper's until all are home
  int value = 0;
  int home = 0;
  int home_wanted = 1;
  Worker* worker = nullptr;
  std::thread::id worked_on, home_on;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(worker)

BOOST_AUTO_TEST_CASE(a_job_works_elsewhere_and_comes_home) {
  Loop loop;
  Worker helper(loop);
  Step step;
  BOOST_TEST(helper.Submit(step));
  BOOST_TEST(step.away());

  BOOST_TEST(loop.RunUntil([&] { return step.home == 1; }));

  BOOST_TEST(!step.away());
  BOOST_TEST((step.home_on == std::this_thread::get_id()));
  BOOST_TEST((step.worked_on != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(jobs_run_in_the_order_they_were_submitted) {
  Loop loop;
  Worker helper(loop);
  std::vector<int> order;
  std::vector<int> expected;
  std::vector<std::unique_ptr<Step>> steps;
  for (int value = 0; value < 500; ++value) {
    steps.push_back(std::make_unique<Step>());
    steps.back()->order = &order;
    steps.back()->value = value;
    expected.push_back(value);
    BOOST_TEST(helper.Submit(*steps.back()));
  }

  BOOST_TEST(loop.RunUntil([&] { return steps.back()->home == 1; }));

  BOOST_TEST(order == expected);
}

BOOST_AUTO_TEST_CASE(a_job_may_be_submitted_again_from_home) {
  Loop loop;
  Worker helper(loop);
  Step step;
  step.worker = &helper;
  step.home_wanted = 1000;
  BOOST_TEST(helper.Submit(step));

  BOOST_TEST(!loop.RunUntil([] { return false; }));  // nothing is left only when the last is home

  BOOST_TEST(step.home == 1000);
}

BOOST_AUTO_TEST_CASE(a_worker_without_work_makes_no_thread) {
  failing_thread.Arm(EAGAIN);
  {
    Loop loop;
    Worker helper(loop);
  }
  BOOST_TEST(failing_thread.failed == 0);
  failing_thread.Arm(0, 0);
}

BOOST_AUTO_TEST_CASE(without_a_thread_a_job_is_refused_and_the_next_may_be_taken) {
  Loop loop;
  Worker helper(loop);
  Step step;
  failing_thread.Arm(EAGAIN);
  BOOST_TEST(!helper.Submit(step));
  BOOST_TEST(failing_thread.failed == 1);
  BOOST_TEST(!step.away());

  BOOST_TEST(helper.Submit(step));

  BOOST_TEST(loop.RunUntil([&] { return step.home == 1; }));
}

BOOST_AUTO_TEST_SUITE_END()
