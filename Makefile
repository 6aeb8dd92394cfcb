# Every target sets up what it needs. The environment is .venv at the root.
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed

# gRPC's own chatter would drown what a target prints.
export GRPC_VERBOSITY ?= ERROR

.PHONY: demo test bench lint proto proto-check test-deps clean

$(STAMP): pyproject.toml constraints.txt
	@test -x $(PY) || python3 -m venv $(VENV)
	@echo 'setting up .venv, some minutes the first time …'
	@$(PY) -m pip install -qqq --disable-pip-version-check --upgrade pip 'setuptools>=77'
	@$(PY) -m pip install -qqq --disable-pip-version-check --no-build-isolation -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(STAMP)
	@$(PY) -m examples.demo

test: $(STAMP)
	@$(PY) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(STAMP)
	@$(PY) -m tests.bench $(if $(ONLY),--only $(ONLY))

# What CI checks before the tests.
lint: $(STAMP) proto-check
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(VENV)/bin/buf lint
	@$(VENV)/bin/buf breaking proto --against proto/released.binpb

PROTOS := $(shell find proto -name '*.proto' | sort)
GENERATE = $(PY) -m grpc_tools.protoc -Iproto -Ithird_party --python_out=$(1) --grpc_python_out=$(1) \
  --plugin=protoc-gen-mypy=$(VENV)/bin/protoc-gen-mypy --mypy_out=quiet:$(1) \
  --plugin=protoc-gen-mypy_grpc=$(VENV)/bin/protoc-gen-mypy_grpc --mypy_grpc_out=quiet:$(1) $(PROTOS:proto/%=%)

# Regenerates shuniu/api from proto/.
proto: $(STAMP)
	@find shuniu/api -name '*_pb2*' -delete 2>/dev/null || true
	@$(call GENERATE,.)
	@find shuniu/api -type d -exec touch {}/__init__.py \;

# Fails when shuniu/api is not what proto/ says.
proto-check: $(STAMP)
	@rm -rf var/proto-check && mkdir -p var/proto-check
	@$(call GENERATE,var/proto-check)
	@diff -r -x __pycache__ -x __init__.py -x py.typed var/proto-check/shuniu/api shuniu/api

# Debian packages for the groups of tests that need more than PyPI, each with a program that shows it is there.
TEST_DEPS := chromium:chromium postgresql:/usr/lib/postgresql/*/bin/initdb nodejs:node npm:npm default-jdk-headless:javac \
  strace:strace poppler-utils:pdfsig libnss3-tools:certutil mupdf-tools:mutool qpdf:qpdf openssl:openssl docker-compose:docker-compose \
  unicode-data:/usr/share/unicode/Unihan_OtherMappings.txt.bz2 \
  gcc:gcc libssl-dev:/usr/include/openssl/evp.h softhsm2:softhsm2-util p11-kit:p11-kit p11-kit-modules:/usr/lib/*/pkcs11/p11-kit-client.so \
  libpdfbox2-java:/usr/share/java/pdfbox2.jar libbcpkix-java:/usr/share/java/bcpkix.jar libbcprov-java:/usr/share/java/bcprov.jar

.PHONY: test-deps-missing
test-deps-missing:
	@for pair in $(TEST_DEPS); do \
	  ls $${pair#*:} >/dev/null 2>&1 || command -v $${pair#*:} >/dev/null || echo $${pair%%:*}; done

# Installs what is missing of them; needs root.
test-deps:
	@missing=$$($(MAKE) -s test-deps-missing); \
	 if [ -n "$$missing" ]; then apt-get update -qq && apt-get install -y --no-install-recommends $$missing; fi

clean:
	rm -rf var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
