# The fakes of Stripe and SumUp and the mail server that keeps the mails: for compose.yaml, never for production.
#   docker build -f docker/fakes.Dockerfile -t jobs/fakes .
ARG SDK_IMAGE=mcr.microsoft.com/dotnet/sdk:10.0
FROM ${SDK_IMAGE}
ENV CI=true DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_EnableDiagnostics=0
COPY . /source
WORKDIR /source
RUN for fake in fake-stripe fake-sumup fake-smtp; do \
        dotnet publish "tests/$fake" -c Release -o "/fakes/$fake" --nologo -v quiet || exit 1; \
    done
# The volume for the mails takes its owner from here.
RUN mkdir /mails && chown 65532:65532 /mails
USER 65532:65532
ENTRYPOINT ["dotnet"]
