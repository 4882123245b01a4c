# A release passes the digest of the day: docker build --build-arg PYTHON=python@sha256:...
ARG PYTHON=python:3.13-slim-trixie
FROM ${PYTHON} AS build
RUN pip install --no-cache-dir uv==0.13.9 && uv venv /opt/todo
ENV VIRTUAL_ENV=/opt/todo
WORKDIR /src
COPY requirements.lock .
RUN uv pip install --no-cache --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY todo todo
COPY migrations migrations
RUN uv pip install --no-cache --no-deps .

FROM ${PYTHON}
RUN useradd --system --no-create-home --uid 10001 todo && install -d -m 700 -o todo /backups
COPY --from=build /opt/todo /opt/todo
COPY --chmod=755 deploy/healthcheck /usr/local/bin/healthcheck
ENV PATH=/opt/todo/bin:$PATH TODO_ENV=production TODO_HOST=0.0.0.0 PYTHONUNBUFFERED=1
# By number: Kubernetes must know that it is not root. Nothing is written outside /tmp and /backups.
USER 10001
EXPOSE 8000
# Serves for TODO_DRAIN_SECONDS (5) more, and needs up to four to end: Docker's ten seconds suffice.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=6s --start-period=30s CMD ["healthcheck"]
CMD ["todo", "server"]
