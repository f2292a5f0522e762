#include "tools/abort_watch.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdlib>

#include "sim/shrink.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tools;  // NOLINT

namespace {

// What a process that does `work` says on standard error before it aborts.
template <class Work>
std::string LastWords(Work work) {
  int ends[2];
  BOOST_REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // whatever becomes of the tests
    dup2(ends[1], STDERR_FILENO);
    work();
    _exit(0);
  }
  BOOST_REQUIRE(child > 0);
  close(ends[1]);
  std::string words;
  char letter = 0;
  while (read(ends[0], &letter, 1) == 1) words += letter;
  close(ends[0]);
  int status = 0;
  BOOST_REQUIRE(waitpid(child, &status, 0) == child);
  BOOST_TEST(WIFSIGNALED(status));
  BOOST_TEST(WTERMSIG(status) == SIGABRT);
  return words;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(abort_watch_of_sim)

BOOST_AUTO_TEST_CASE(a_run_that_breaks_says_how_to_repeat_it) {
  const std::string words = LastWords([] {
    abort_watch::Start(" --no-faults");
    abort_watch::BeginRun({.seed = 4, .commands = 300});
    abort_watch::EndRun();
    abort_watch::BeginRun({.seed = 5, .commands = 200});
    std::abort();
  });
  BOOST_TEST(words ==
             "usbtwin sim: the program broke in a run\n"
             "reproduce: usbtwin sim --seed 5 --runs 1 --commands-per-run 200 --no-faults\n");
}

BOOST_AUTO_TEST_CASE(a_candidate_that_breaks_while_a_failure_is_made_smaller_is_named) {
  const sim::ChoiceList list = sim::ListOf(3, {.commands = 60});
  const std::string words = LastWords([&list] {
    abort_watch::Start("");
    abort_watch::BeginRun({.seed = 3, .commands = 60});
    // A run in which all is well "fails" like every other such run.
    static_cast<void>(sim::Shrink(list, {}, {.progress = [](uint64_t tries, size_t) {
                                    abort_watch::BeginTry(tries + 1);
                                    if (tries == 2) std::abort();
                                    return true;
                                  }}));
  });
  BOOST_TEST(words ==
             "usbtwin sim: the program broke in try 3 of making the failure smaller; the list of "
             "choices is that of the whole run\n"
             "reproduce: usbtwin sim --seed 3 --runs 1 --commands-per-run 60 --shrink-tries 3\n");
}

BOOST_AUTO_TEST_CASE(what_breaks_outside_of_runs_is_not_blamed_on_one) {
  const std::string words = LastWords([] {
    abort_watch::Start("");
    abort_watch::BeginRun({.seed = 1, .commands = 1});
    abort_watch::EndRun();
    std::abort();
  });
  BOOST_TEST(words == "");
}

BOOST_AUTO_TEST_SUITE_END()
