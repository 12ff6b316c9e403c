# docker build -t respond .      How to run it: docs/deploy.md

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements.build.lock requirements.runtime.lock deploy/trim_sdk.py ./
# Dependencies before the source, so that a change of the source does not fetch them again.
RUN python -m pip install --require-hashes --only-binary :all: -r requirements.build.lock \
 && python -m venv --without-pip /opt/respond \
 && python -m pip --python /opt/respond/bin/python install --compile --require-hashes --only-binary :all: \
      -r requirements.runtime.lock \
 && python trim_sdk.py /opt/respond/lib/python3.13/site-packages
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY actions actions
COPY playbooks playbooks
COPY respond respond
RUN python -m hatchling build -t wheel -d dist \
 && python -m pip --python /opt/respond/bin/python install --compile --no-index --no-deps dist/*.whl

FROM python:3.13-slim
LABEL org.opencontainers.image.title="respond" \
      org.opencontainers.image.description="Response automation for device code phishing in Microsoft Entra ID" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 respond \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/respond --shell /usr/sbin/nologin respond \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/respond
COPY --from=build /opt/respond /opt/respond
# The bytecode was written above; at run time nothing is written but state and temporary files.
ENV PATH=/opt/respond/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/var/lib/respond \
    TMPDIR=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    RESPOND_STATE__DIR=/var/lib/respond \
    RESPOND_TICKETS__PAGES=false
# Not the state directory: settings are looked for in ./config, and who can write state must not set them.
WORKDIR /
VOLUME /var/lib/respond
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8080, timeout=4); c.request('GET', '/healthz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["respond"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080"]
