# The build in words: sluice_library, sluice_binary, sluice_tests, sluice_vm_tests, sluice_fuzz, sluice_benchmark, sluice_pch.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# One code model for every object, so that all share the precompiled headers; see -fPIE below.
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

option(SLUICE_WERROR "Treat warnings as errors" ON)
option(SLUICE_TESTS "Build the tests" ON)
option(SLUICE_FUZZ "Build the fuzz targets with libFuzzer (preset fuzz, clang)" OFF)
set(SLUICE_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, comma-separated")
set(SLUICE_TEST_OUTPUT ${CMAKE_BINARY_DIR}/bin/tests)

# ccache needs to be told that a precompiled header may be trusted; paths below the source folder are
# made relative, so that two checkouts share results.
find_program(SLUICE_CCACHE ccache)
if(SLUICE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER env
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime,locale
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${SLUICE_CCACHE})
endif()

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
enable_testing()

# One link at a time: two of them fill the memory of a small machine.
set_property(GLOBAL PROPERTY JOB_POOLS link=1)
set(CMAKE_JOB_POOL_LINK link)
find_program(SLUICE_MOLD mold)
if(SLUICE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
add_link_options(-Wl,-z,relro,-z,now)

add_library(sluice_flags INTERFACE)
target_include_directories(sluice_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(sluice_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wundef
  -Wimplicit-fallthrough -Wno-missing-field-initializers $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess> -fPIE)
if(SLUICE_WERROR)
  target_compile_options(sluice_flags INTERFACE -Werror)
endif()
if(SLUICE_SANITIZE)
  target_compile_options(sluice_flags INTERFACE -fsanitize=${SLUICE_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(sluice_flags INTERFACE -fsanitize=${SLUICE_SANITIZE})
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(sluice_flags INTERFACE _GLIBCXX_ASSERTIONS)
else()
  target_compile_options(sluice_flags INTERFACE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
    -Wno-maybe-uninitialized -Wno-array-bounds) # g++ 12 at -O2 suspects std::variant and std::array
  add_link_options(-s)
endif()

# Two precompiled headers serve every target: the standard library, and the same with GoogleTest.
add_library(sluice_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
target_link_libraries(sluice_pch PRIVATE sluice_flags PUBLIC Threads::Threads)
target_precompile_headers(sluice_pch PRIVATE
  <algorithm> <array> <chrono> <compare> <cstdint> <functional> <map> <memory> <mutex> <optional> <set> <span>
  <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector> <tl/expected.hpp>)

# sluice_library(kernel SOURCES a.cpp b.cpp LINKS sluice_net PkgConfig::NL [NO_PCH])
# A static library sluice_<name>. LINKS are public: whoever links this gets them too.
function(sluice_library name)
  cmake_parse_arguments(ARG "NO_PCH" "" "SOURCES;LINKS" ${ARGN})
  add_library(sluice_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(sluice_${name} PUBLIC sluice_flags Threads::Threads ${ARG_LINKS})
  if(NOT ARG_NO_PCH)
    target_precompile_headers(sluice_${name} REUSE_FROM sluice_pch)
  endif()
endfunction()

# sluice_binary(sluice-proxy SOURCES main.cpp LINKS sluice_proxy [STATIC])
# A program in bin/. STATIC is for the CNI plugins: they start 2.4 times faster so.
function(sluice_binary name)
  cmake_parse_arguments(ARG "STATIC" "" "SOURCES;LINKS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE sluice_flags ${ARG_LINKS})
  target_precompile_headers(${name} REUSE_FROM sluice_pch)
  if(ARG_STATIC AND NOT SLUICE_SANITIZE) # the sanitizers' libraries are shared
    target_link_options(${name} PRIVATE -static -no-pie -Wl,--gc-sections)
  else()
    target_link_options(${name} PRIVATE -pie)
  endif()
endfunction()

# sluice_benchmark(cni SOURCES main.cpp LINKS sluice_kernel)
# A program bin/bench/<name> that prints markdown tables; `./dev bench [name]` runs it from the release build.
function(sluice_benchmark name)
  sluice_binary(bench_${name} ${ARGN})
  set_target_properties(bench_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/bench)
endfunction()

# sluice_tests(kernel LABEL kernel SOURCES tests/netns_test.cpp LINKS sluice_kernel [TIMEOUT 120] [SERIAL])
# One GoogleTest program bin/tests/<name>_<label>_tests, one ctest case <name>.<label>.
# LABEL: unit (no root, no kernel), kernel (a fresh namespace), node (several namespaces, daemons).
function(sluice_tests name)
  cmake_parse_arguments(ARG "SERIAL" "LABEL;TIMEOUT" "SOURCES;LINKS" ${ARGN})
  if(NOT SLUICE_TESTS)
    return()
  endif()
  find_package(GTest REQUIRED)
  if(NOT TARGET sluice_test_pch)
    add_library(sluice_test_pch STATIC ${CMAKE_SOURCE_DIR}/cmake/pch.cpp)
    target_link_libraries(sluice_test_pch PRIVATE sluice_flags PUBLIC Threads::Threads GTest::gtest)
    target_precompile_headers(sluice_test_pch PRIVATE
      <algorithm> <array> <chrono> <functional> <map> <memory> <optional> <set> <span> <string> <string_view>
      <thread> <unordered_map> <utility> <variant> <vector> <tl/expected.hpp> <gtest/gtest.h>)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  set(target ${name}_${ARG_LABEL}_tests)
  add_executable(${target} ${ARG_SOURCES})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${SLUICE_TEST_OUTPUT})
  target_link_libraries(${target} PRIVATE sluice_flags ${ARG_LINKS} GTest::gtest GTest::gtest_main)
  target_link_options(${target} PRIVATE -pie)
  target_compile_definitions(${target} PRIVATE
    SLUICE_SOURCE_DIR="${CMAKE_SOURCE_DIR}" SLUICE_BIN_DIR="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  target_precompile_headers(${target} REUSE_FROM sluice_test_pch)
  add_test(NAME ${name}.${ARG_LABEL} COMMAND ${target})
  set_tests_properties(${name}.${ARG_LABEL} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT})
  if(ARG_SERIAL)
    set_tests_properties(${name}.${ARG_LABEL} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()

# sluice_vm_tests(proxy_node "Restart.*" [SLUICE_PROXY_MODE=ipvs])
# These cases of the program bin/tests/<name>_tests also run on the stock kernel (integration/vm), with
# that variable in their environment.
function(sluice_vm_tests name filter)
  set_property(GLOBAL APPEND_STRING PROPERTY SLUICE_VM_TESTS "${SLUICE_TEST_OUTPUT}/${name}_tests ${filter} ${ARGN}\n")
endfunction()

# sluice_fuzz(cni_config SOURCES fuzz/config_fuzz.cpp LINKS sluice_cni)
# An LLVMFuzzerTestOneInput, with its corpus in fuzz/corpus/<name>. In the preset `fuzz` it becomes
# the libFuzzer program bin/fuzz/<name>, elsewhere the test <name>_corpus.unit that replays the corpus.
function(sluice_fuzz name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINKS" ${ARGN})
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
  if(NOT SLUICE_FUZZ)
    sluice_tests(${name}_corpus LABEL unit
      SOURCES ${ARG_SOURCES} ${CMAKE_SOURCE_DIR}/cmake/replay_corpus.cpp LINKS ${ARG_LINKS})
    if(TARGET ${name}_corpus_unit_tests)
      target_compile_definitions(${name}_corpus_unit_tests PRIVATE SLUICE_CORPUS_DIR="${corpus}")
    endif()
    return()
  endif()
  sluice_binary(fuzz_${name} ${ARGN})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set_target_properties(fuzz_${name} PROPERTIES
    OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/fuzz)
  if(NOT TARGET fuzz_targets)
    add_custom_target(fuzz_targets)
  endif()
  add_dependencies(fuzz_targets fuzz_${name})
endfunction()
