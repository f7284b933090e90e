"""Parameters and offline profiles."""

from stillopen.core.money import Money, check_money
from stillopen.core.permissions import Permission
from stillopen.headquarters.office import Office
from stillopen.headquarters.older_terms import older_terms
from stillopen.headquarters.parameters import version_to
from stillopen.replication.tables import GLOBAL
from stillopen.rpc.context import Context
from stillopen.rpc.paging import number_token, page_limit
from stillopen.rpc.shielded import to_its_end
from stillopen.rpc.status import answers
from stillopen.rpc.wire import duration_to, profile_from, profile_to
from stillopen.rpc.wire_parameters import parameters_from
from stillopen.v1 import headquarters_pb2, headquarters_pb2_grpc

PAGE_DEFAULT, VERSIONS_MAX = 50, 500


class ParameterCalls(headquarters_pb2_grpc.HeadquartersServiceServicer):
    """What headquarters decides for all its stores, and when their registers go offline."""

    _office: Office

    @answers
    async def UpdateParameters(
        self, request: headquarters_pb2.UpdateParametersRequest, context: Context
    ) -> headquarters_pb2.UpdateParametersResponse:
        """Changes parameters, and says which locks keep older terms."""
        person = self._office.gate.person(context, Permission.PARAMETERS)
        wanted = parameters_from(request.parameters)
        check_money(Money(wanted.currency, 0), "currency_code")
        doer = self._office.doer(person)
        version = await to_its_end(self._office.posting.put(wanted, doer))
        left = await older_terms(self._office.realtime, self._office.house, version.parameters)
        return headquarters_pb2.UpdateParametersResponse(
            parameters=version_to(version),
            locks_with_older_terms=left.locks if left else 0,
            older_terms_end_within=duration_to(left.end_within_s) if left else None,
        )

    @answers
    async def GetParameters(
        self,
        request: headquarters_pb2.HeadquartersServiceGetParametersRequest,  # noqa: ARG002
        context: Context,
    ) -> headquarters_pb2.HeadquartersServiceGetParametersResponse:
        """Returns the parameters in force."""
        self._office.gate.person(context, Permission.VIEW)
        return headquarters_pb2.HeadquartersServiceGetParametersResponse(
            parameters=version_to(self._office.posting.version)
        )

    @answers
    async def ListParameterVersions(
        self, request: headquarters_pb2.ListParameterVersionsRequest, context: Context
    ) -> headquarters_pb2.ListParameterVersionsResponse:
        """Lists versions, the newest first."""
        self._office.gate.person(context, Permission.VIEW)
        limit = page_limit(request.page_size, PAGE_DEFAULT, VERSIONS_MAX)
        before = number_token(request.page_token)
        found = await self._office.posting.versions(before, limit + 1)
        page = found[:limit]
        return headquarters_pb2.ListParameterVersionsResponse(
            versions=[version_to(each) for each in page],
            next_page_token=str(page[-1].parameters.version) if len(found) > limit else "",
        )

    @answers
    async def ReloadParameters(
        self,
        request: headquarters_pb2.ReloadParametersRequest,  # noqa: ARG002
        context: Context,
    ) -> headquarters_pb2.ReloadParametersResponse:
        """Carries the parameters to every store now."""
        self._office.gate.person(context, Permission.PARAMETERS)
        version = self._office.posting.current.version
        runs = await to_its_end(self._office.run_jobs([GLOBAL]))
        return headquarters_pb2.ReloadParametersResponse(version=version, runs=runs)

    @answers
    async def UpdateOfflineProfile(
        self, request: headquarters_pb2.UpdateOfflineProfileRequest, context: Context
    ) -> headquarters_pb2.UpdateOfflineProfileResponse:
        """Adds or changes when registers go offline and come back."""
        person = self._office.gate.person(context, Permission.SET_UP)
        doer = self._office.doer(person)
        wanted = profile_from(request.offline_profile)
        profile = await to_its_end(self._office.profiles.put(wanted, doer))
        return headquarters_pb2.UpdateOfflineProfileResponse(offline_profile=profile_to(profile))

    @answers
    async def GetOfflineProfile(
        self, request: headquarters_pb2.GetOfflineProfileRequest, context: Context
    ) -> headquarters_pb2.GetOfflineProfileResponse:
        """Returns a profile."""
        self._office.gate.person(context, Permission.VIEW)
        profile = await self._office.profiles.find(request.name)
        return headquarters_pb2.GetOfflineProfileResponse(offline_profile=profile_to(profile))

    @answers
    async def ListOfflineProfiles(
        self,
        request: headquarters_pb2.ListOfflineProfilesRequest,  # noqa: ARG002
        context: Context,
    ) -> headquarters_pb2.ListOfflineProfilesResponse:
        """Lists profiles, with the stores that have them."""
        self._office.gate.person(context, Permission.VIEW)
        return headquarters_pb2.ListOfflineProfilesResponse(
            profiles=await self._office.profiles.uses()
        )
